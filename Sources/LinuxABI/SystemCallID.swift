// Every Linux system call by the kernel's own name: the one key under which a call is described, whatever number a
// guest gives it. Raw values are the asm-generic numbers (include/uapi/asm-generic/unistd.h and scripts/syscall.tbl),
// so the table of an asm-generic guest is the identity. Calls that only older ABIs have (open, fork, ...) get raw
// values from 0x400 up when the first such guest arrives. Numbers that are not listed (38, 244...257, 295...423) are
// not assigned on 64-bit asm-generic.

/// A Linux system call, independent of the guest's numbering.
public enum SystemCallID: UInt16, CaseIterable, Sendable {
    case io_setup = 0, io_destroy, io_submit, io_cancel, io_getevents, setxattr, lsetxattr, fsetxattr, getxattr
    case lgetxattr = 9, fgetxattr, listxattr, llistxattr, flistxattr, removexattr, lremovexattr, fremovexattr, getcwd
    case lookup_dcookie = 18, eventfd2, epoll_create1, epoll_ctl, epoll_pwait, dup, dup3, fcntl, inotify_init1
    case inotify_add_watch = 27, inotify_rm_watch, ioctl, ioprio_set, ioprio_get, flock, mknodat, mkdirat, unlinkat
    case symlinkat = 36, linkat
    case umount2 = 39, mount, pivot_root, nfsservctl, statfs, fstatfs, truncate, ftruncate, fallocate, faccessat
    case chdir = 49, fchdir, chroot, fchmod, fchmodat, fchownat, fchown, openat, close, vhangup, pipe2, quotactl
    case getdents64 = 61, lseek, read, write, readv, writev, pread64, pwrite64, preadv, pwritev, sendfile, pselect6
    case ppoll = 73, signalfd4, vmsplice, splice, tee, readlinkat, newfstatat, fstat, sync, fsync, fdatasync
    case sync_file_range = 84, timerfd_create, timerfd_settime, timerfd_gettime, utimensat, acct, capget, capset
    case personality = 92, exit, exit_group, waitid, set_tid_address, unshare, futex, set_robust_list, get_robust_list
    case nanosleep = 101, getitimer, setitimer, kexec_load, init_module, delete_module, timer_create, timer_gettime
    case timer_getoverrun = 109, timer_settime, timer_delete, clock_settime, clock_gettime, clock_getres
    case clock_nanosleep = 115, syslog, ptrace, sched_setparam, sched_setscheduler, sched_getscheduler, sched_getparam
    case sched_setaffinity = 122, sched_getaffinity, sched_yield, sched_get_priority_max, sched_get_priority_min
    case sched_rr_get_interval = 127, restart_syscall, kill, tkill, tgkill, sigaltstack, rt_sigsuspend, rt_sigaction
    case rt_sigprocmask = 135, rt_sigpending, rt_sigtimedwait, rt_sigqueueinfo, rt_sigreturn, setpriority, getpriority
    case reboot = 142, setregid, setgid, setreuid, setuid, setresuid, getresuid, setresgid, getresgid, setfsuid
    case setfsgid = 152, times, setpgid, getpgid, getsid, setsid, getgroups, setgroups, uname, sethostname
    case setdomainname = 162, getrlimit, setrlimit, getrusage, umask, prctl, getcpu, gettimeofday, settimeofday
    case adjtimex = 171, getpid, getppid, getuid, geteuid, getgid, getegid, gettid, sysinfo, mq_open, mq_unlink
    case mq_timedsend = 182, mq_timedreceive, mq_notify, mq_getsetattr, msgget, msgctl, msgrcv, msgsnd, semget, semctl
    case semtimedop = 192, semop, shmget, shmctl, shmat, shmdt, socket, socketpair, bind, listen, accept, connect
    case getsockname = 204, getpeername, sendto, recvfrom, setsockopt, getsockopt, shutdown, sendmsg, recvmsg
    case readahead = 213, brk, munmap, mremap, add_key, request_key, keyctl, clone, execve, mmap, fadvise64, swapon
    case swapoff = 225, mprotect, msync, mlock, munlock, mlockall, munlockall, mincore, madvise, remap_file_pages
    case mbind = 235, get_mempolicy, set_mempolicy, migrate_pages, move_pages, rt_tgsigqueueinfo, perf_event_open
    case accept4 = 242, recvmmsg
    case riscv_hwprobe = 258, riscv_flush_icache, wait4, prlimit64, fanotify_init, fanotify_mark, name_to_handle_at
    case open_by_handle_at = 265, clock_adjtime, syncfs, setns, sendmmsg, process_vm_readv, process_vm_writev, kcmp
    case finit_module = 273, sched_setattr, sched_getattr, renameat2, seccomp, getrandom, memfd_create, bpf, execveat
    case userfaultfd = 282, membarrier, mlock2, copy_file_range, preadv2, pwritev2, pkey_mprotect, pkey_alloc
    case pkey_free = 290, statx, io_pgetevents, rseq, kexec_file_load
    case pidfd_send_signal = 424, io_uring_setup, io_uring_enter, io_uring_register, open_tree, move_mount, fsopen
    case fsconfig = 431, fsmount, fspick, pidfd_open, clone3, close_range, openat2, pidfd_getfd, faccessat2
    case process_madvise = 440, epoll_pwait2, mount_setattr, quotactl_fd, landlock_create_ruleset, landlock_add_rule
    case landlock_restrict_self = 446, memfd_secret, process_mrelease, futex_waitv, set_mempolicy_home_node, cachestat
    case fchmodat2 = 452, map_shadow_stack, futex_wake, futex_wait, futex_requeue, statmount, listmount
    case lsm_get_self_attr = 459, lsm_set_self_attr, lsm_list_modules, mseal, setxattrat, getxattrat, listxattrat
    case removexattrat = 466, open_tree_attr, file_getattr, file_setattr
}

extension SystemCallID {
    /// The kernel's name for the call.
    public var name: String { String(describing: self) }

    /// One past the highest asm-generic number in use.
    public static let asmGenericCount = 470
}
