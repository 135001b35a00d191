// The system calls of Linux: one row each, in the order of the asm-generic table (syscalls(2), and each call's own page
// in section 2 of the Linux manual). Every call has a row: a call that is missing says so, with its error.
//
//   pass(arguments...)             the host kernel does it, after the checks that the arguments ask for
//   wait(arguments...)             the same, and a guest signal may interrupt it
//   run(handler, arguments...)     Martlet's own code
//   call(other, [operands], arguments...)
//                                  another call does it, with these arguments
//   missing(arguments...)          refused with ENOSYS, as by a kernel built without it; logged by -d unimp
//   forbidden(arguments...)        refused with EPERM: it concerns the machine, not the program; logged by -d unimp

import HostOS
import LinuxABI

enum SystemCallTable {
    static func row(_ id: SystemCallID) -> SystemCallRow {
        switch id {
        // Asynchronous I/O of the kernel (its ring would be mapped by the kernel outside the guest's part)
        case .io_setup: missing(.size, .address)
        case .io_destroy: missing(.hex)
        case .io_submit: missing(.hex, .int, .address)
        case .io_cancel: missing(.hex, .address, .address)
        case .io_getevents: missing(.hex, .int, .int, .address, .address)

        // Extended attributes
        case .setxattr: pass(.path, .string, .input(.bytes, count: 3), .size, .bits(.xattr))
        case .lsetxattr: pass(.link, .string, .input(.bytes, count: 3), .size, .bits(.xattr))
        case .fsetxattr: pass(.fd, .string, .input(.bytes, count: 3), .size, .bits(.xattr))
        case .getxattr: pass(.path, .string, .output(.bytes, count: 3), .size)
        case .lgetxattr: pass(.link, .string, .output(.bytes, count: 3), .size)
        case .fgetxattr: pass(.fd, .string, .output(.bytes, count: 3), .size)
        case .listxattr: pass(.path, .output(.bytes, count: 2), .size)
        case .llistxattr: pass(.link, .output(.bytes, count: 2), .size)
        case .flistxattr: pass(.fd, .output(.bytes, count: 2), .size)
        case .removexattr: pass(.path, .string)
        case .lremovexattr: pass(.link, .string)
        case .fremovexattr: pass(.fd, .string)

        // Files, first part
        case .getcwd: pass(.output(.bytes, count: 1), .size)
        case .lookup_dcookie: missing(.size, .address, .size)
        case .eventfd2: pass(.size, .bits(.eventFD))
        case .epoll_create1: pass(.bits(.epollCreate))
        case .epoll_ctl: run(PollingCalls.epollControl, .fd, .value(.epollControl), .fd, .address)
        case .epoll_pwait: run(PollingCalls.epollWait, .fd, .address, .int, .int, .input(.signalSet), .size)
        case .dup: pass(.fd)
        case .dup3: run(FileCalls.dup3, .fd, .fd, .bits(.openCreate))
        case .fcntl: run(FileCalls.fcntl, .fd, .value(.fcntl), .hex)
        case .inotify_init1: pass(.bits(.inotifyInit))
        case .inotify_add_watch: pass(.fd, .path, .bits(.inotifyMask))
        case .inotify_rm_watch: pass(.fd, .int)
        case .ioctl: run(DeviceControl.ioctl, .fd, .hex, .hex)
        case .ioprio_set: pass(.int, .int, .int)
        case .ioprio_get: pass(.int, .int)
        case .flock: wait(.fd, .value(.flock))
        case .mknodat: pass(.directory, .link, .mode, .hex)
        case .mkdirat: pass(.directory, .link, .mode)
        case .unlinkat: pass(.directory, .link, .bits(.at))
        case .symlinkat: pass(.string, .directory, .link)
        case .linkat: pass(.directory, .link, .directory, .link, .bits(.at))
        case .umount2: run(NamespaceCalls.unmount, .path, .bits(.unmount))
        case .mount: run(NamespaceCalls.mount, .string, .path, .string, .bits(.mount), .string)
        case .pivot_root: run(NamespaceCalls.pivotRoot, .path, .path)
        case .nfsservctl: missing(.int, .address, .address)
        case .statfs: pass(.path, .output(.fileSystem))
        case .fstatfs: pass(.fd, .output(.fileSystem))
        case .truncate: pass(.path, .int)
        case .ftruncate: pass(.fd, .int)
        case .fallocate: wait(.fd, .bits(.fallocate), .offset, .offset)
        case .faccessat: pass(.directory, .path, .bits(.access))
        case .chdir: run(FileCalls.chdir, .path)
        case .fchdir: pass(.fd)
        case .chroot: run(NamespaceCalls.chroot, .path)
        case .fchmod: pass(.fd, .mode)
        case .fchmodat: pass(.directory, .path, .mode)
        case .fchownat: pass(.directory, .path(flags: 4), .int, .int, .bits(.at))
        case .fchown: pass(.fd, .int, .int)
        case .openat: run(FileCalls.openat, .directory, .path, .bits(.open), .mode)
        case .close: run(FileCalls.close, .fd)
        case .vhangup: pass()
        case .pipe2: pass(.output(.int32Pair), .bits(.openCreate))
        case .quotactl: missing(.hex, .path, .int, .address)
        case .getdents64: run(ProcFolders.list, .fd, .output(.bytes, count: 2), .size)
        case .lseek: pass(.fd, .int, .value(.seek))
        case .read: wait(.fd, .output(.bytes, count: 2), .size)
        case .write: wait(.fd, .input(.bytes, count: 2), .size)
        case .readv: run(FileCalls.readv, .fd, .address, .size)
        case .writev: run(FileCalls.writev, .fd, .address, .size)
        case .pread64: wait(.fd, .output(.bytes, count: 2), .size, .offset)
        case .pwrite64: wait(.fd, .input(.bytes, count: 2), .size, .offset)
        case .preadv: run(FileCalls.preadv, .fd, .address, .size, .int, .int)
        case .pwritev: run(FileCalls.pwritev, .fd, .address, .size, .int, .int)
        case .sendfile: run(FileCalls.sendfile, .fd, .fd, .both(.uint64), .size)
        case .pselect6: run(PollingCalls.pselect6, .int, .address, .address, .address, .both(.timespec), .address)
        case .ppoll: run(PollingCalls.ppoll, .address, .size, .both(.timespec), .input(.signalSet), .size)
        case .signalfd4: run(SignalCalls.signalDescriptor, .fd, .input(.signalSet), .size, .bits(.eventFD))
        case .vmsplice: run(FileCalls.vmsplice, .fd, .address, .size, .bits(.splice))
        case .splice: run(FileCalls.splice, .fd, .both(.uint64), .fd, .both(.uint64), .size, .bits(.splice))
        case .tee: wait(.fd, .fd, .size, .bits(.splice))
        case .readlinkat: run(FileCalls.readlinkat, .directory, .link, .output(.bytes, count: 3), .size)
        case .newfstatat: run(FileCalls.newfstatat, .directory, .path, .address, .bits(.at))
        case .fstat: run(FileCalls.fstat, .fd, .address)
        case .sync: pass()
        case .fsync: pass(.fd)
        case .fdatasync: pass(.fd)
        case .sync_file_range: pass(.fd, .offset, .offset, .bits(.syncRange))
        case .timerfd_create: pass(.value(.clock), .bits(.timerFD))
        case .timerfd_settime: pass(.fd, .bits(.timerSettime), .input(.itimerspec), .output(.itimerspec))
        case .timerfd_gettime: pass(.fd, .output(.itimerspec))
        case .utimensat: pass(.directory, .path(flags: 3), .input(.timespecPair), .bits(.at))
        case .acct: forbidden(.path)

        // Processes and threads
        case .capget: pass(.both(.int32Pair), .output(.capabilities))
        case .capset: pass(.both(.int32Pair), .input(.capabilities))
        case .personality: pass(.bits(.personality))
        case .exit: run(ThreadCalls.exit, .int)
        case .exit_group: run(ProcessCalls.exitGroup, .int)
        case .waitid: run(ProcessCalls.waitid, .value(.waitKind), .int, .address, .bits(.wait), .address)
        case .set_tid_address: run(ThreadCalls.setTIDAddress, .address)
        case .unshare: run(NamespaceCalls.unshare, .bits(.clone))
        case .futex: run(ThreadCalls.futex, .address, .value(.futex), .int, .address, .address, .int)
        case .set_robust_list: run(ThreadCalls.setRobustList, .address, .size)
        case .get_robust_list: run(ThreadCalls.getRobustList, .int, .address, .address)
        case .nanosleep: wait(.input(.timespec), .output(.timespec))
        case .getitimer: pass(.value(.timerKind), .output(.timevalPair))
        case .setitimer: pass(.value(.timerKind), .input(.timevalPair), .output(.timevalPair))
        case .kexec_load: forbidden(.hex, .size, .address, .hex)
        case .init_module: forbidden(.address, .size, .string)
        case .delete_module: forbidden(.string, .hex)
        case .timer_create: run(SignalCalls.timerCreate, .value(.clock), .input(.signalEvent), .output(.int32))
        case .timer_gettime: pass(.int, .output(.itimerspec))
        case .timer_getoverrun: pass(.int)
        case .timer_settime: pass(.int, .bits(.timerSettime), .input(.itimerspec), .output(.itimerspec))
        case .timer_delete: pass(.int)
        case .clock_settime: pass(.value(.clock), .input(.timespec))
        case .clock_gettime: run(TimeCalls.clockGetTime, .value(.clock), .address)
        case .clock_getres: pass(.value(.clock), .output(.timespec))
        case .clock_nanosleep: wait(.value(.clock), .bits(.timerSettime), .input(.timespec), .output(.timespec))
        case .syslog: wait(.value(.syslog), .output(.bytes, count: 2), .int)
        case .ptrace: missing(.int, .int, .hex, .hex)
        case .sched_setparam: pass(.int, .input(.int32))
        case .sched_setscheduler: pass(.int, .value(.scheduler), .input(.int32))
        case .sched_getscheduler: pass(.int)
        case .sched_getparam: pass(.int, .output(.int32))
        case .sched_setaffinity: run(MiscCalls.setAffinity, .int, .size, .address)
        case .sched_getaffinity: run(MiscCalls.affinity, .int, .size, .address)
        case .sched_yield: pass()
        case .sched_get_priority_max: pass(.value(.scheduler))
        case .sched_get_priority_min: pass(.value(.scheduler))
        case .sched_rr_get_interval: pass(.int, .output(.timespec))
        case .restart_syscall: missing()

        // Signals
        case .kill: run(SignalCalls.kill, .int, .signal)
        case .tkill: run(SignalCalls.tkill, .int, .signal)
        case .tgkill: run(SignalCalls.tgkill, .int, .int, .signal)
        case .sigaltstack: run(SignalCalls.sigaltstack, .address, .address)
        case .rt_sigsuspend: run(SignalCalls.sigsuspend, .input(.signalSet), .size)
        case .rt_sigaction: run(SignalCalls.sigaction, .signal, .address, .address, .size)
        case .rt_sigprocmask: run(SignalCalls.sigprocmask, .value(.signalHow), .input(.signalSet), .address, .size)
        case .rt_sigpending: run(SignalCalls.sigpending, .address, .size)
        case .rt_sigtimedwait: run(SignalCalls.sigtimedwait, .input(.signalSet), .address, .input(.timespec), .size)
        case .rt_sigqueueinfo: run(SignalCalls.sigqueueinfo, .int, .signal, .address)
        case .rt_sigreturn: run(SignalCalls.sigreturn)

        // Identity
        case .setpriority: pass(.value(.priorityWho), .int, .int)
        case .getpriority: pass(.value(.priorityWho), .int)
        case .reboot: forbidden(.hex, .hex, .hex, .address)
        case .setregid: pass(.int, .int)
        case .setgid: pass(.int)
        case .setreuid: pass(.int, .int)
        case .setuid: pass(.int)
        case .setresuid: pass(.int, .int, .int)
        case .getresuid: pass(.output(.int32), .output(.int32), .output(.int32))
        case .setresgid: pass(.int, .int, .int)
        case .getresgid: pass(.output(.int32), .output(.int32), .output(.int32))
        case .setfsuid: pass(.int)
        case .setfsgid: pass(.int)
        case .times: pass(.output(.times))
        case .setpgid: pass(.int, .int)
        case .getpgid: pass(.int)
        case .getsid: pass(.int)
        case .setsid: pass()
        case .getgroups: pass(.int, .output(.int32, count: 0))
        case .setgroups: pass(.int, .input(.int32, count: 0))
        case .uname: run(MiscCalls.uname, .address)
        case .sethostname: pass(.input(.bytes, count: 1), .size)
        case .setdomainname: pass(.input(.bytes, count: 1), .size)
        case .getrlimit: run(LimitCalls.getLimit, .value(.resource), .output(.rlimit))
        case .setrlimit: run(LimitCalls.setLimit, .value(.resource), .input(.rlimit))
        case .getrusage: pass(.value(.usageWho), .output(.usage))
        case .umask: pass(.mode)
        case .prctl: run(ProcessControl.prctl, .value(.prctl), .hex, .hex, .hex, .hex)
        case .getcpu: pass(.output(.int32), .output(.int32), .hex)
        case .gettimeofday: run(TimeCalls.getTimeOfDay, .address, .address)
        case .settimeofday: pass(.input(.timeval), .input(.int32Pair))
        case .adjtimex: pass(.both(.timex))
        case .getpid: pass()
        case .getppid: pass()
        case .getuid: pass()
        case .geteuid: pass()
        case .getgid: pass()
        case .getegid: pass()
        case .gettid: pass()
        case .sysinfo: pass(.output(.systemInformation))

        // Interprocess communication
        case .mq_open: pass(.string, .bits(.open), .mode, .input(.queueAttributes))
        case .mq_unlink: pass(.string)
        case .mq_timedsend: wait(.fd, .input(.bytes, count: 2), .size, .size, .input(.timespec))
        case .mq_timedreceive: wait(.fd, .output(.bytes, count: 2), .size, .output(.int32), .input(.timespec))
        case .mq_notify: run(SignalCalls.queueNotify, .fd, .input(.signalEvent))
        case .mq_getsetattr: pass(.fd, .input(.queueAttributes), .output(.queueAttributes))
        case .msgget: pass(.hex, .bits(.ipc))
        case .msgctl: run(IPCCalls.messageControl, .int, .value(.ipcControl), .hex)
        case .msgrcv: run(IPCCalls.messageReceive, .int, .address, .size, .int, .bits(.ipc))
        case .msgsnd: run(IPCCalls.messageSend, .int, .address, .size, .bits(.ipc))
        case .semget: pass(.hex, .int, .bits(.ipc))
        case .semctl: run(IPCCalls.semaphoreControl, .int, .int, .value(.ipcControl), .hex)
        case .semtimedop: wait(.int, .input(.semaphoreOperations, count: 2), .size, .input(.timespec))
        case .semop: wait(.int, .input(.semaphoreOperations, count: 2), .size)
        case .shmget: pass(.hex, .size, .bits(.ipc))
        case .shmctl: run(IPCCalls.memoryControl, .int, .value(.ipcControl), .hex)
        case .shmat: run(MemoryCalls.shmat, .int, .address, .hex).showingHexadecimal
        case .shmdt: run(MemoryCalls.shmdt, .address)

        // Sockets
        case .socket: pass(.value(.socketFamily), .hex, .int)
        case .socketpair: pass(.value(.socketFamily), .hex, .int, .output(.int32Pair))
        case .bind: pass(.fd, .input(.socketAddress, count: 2), .size)
        case .listen: pass(.fd, .int)
        case .accept: wait(.fd, .output(.socketAddress, lengthAt: 2), .both(.int32))
        case .connect: wait(.fd, .input(.socketAddress, count: 2), .size)
        case .getsockname: pass(.fd, .output(.socketAddress, lengthAt: 2), .both(.int32))
        case .getpeername: pass(.fd, .output(.socketAddress, lengthAt: 2), .both(.int32))
        case .sendto:
            wait(.fd, .input(.bytes, count: 2), .size, .bits(.message), .input(.socketAddress, count: 5), .size)
        case .recvfrom:
            wait(
                .fd, .output(.bytes, count: 2), .size, .bits(.message), .output(.socketAddress, lengthAt: 5),
                .both(.int32))
        case .setsockopt: run(SocketOptions.set, .fd, .value(.socketLevel), .int, .input(.bytes, count: 4), .size)
        case .getsockopt:
            run(SocketOptions.get, .fd, .value(.socketLevel), .int, .output(.bytes, lengthAt: 4), .both(.int32))
        case .shutdown: pass(.fd, .value(.shutdown))
        case .sendmsg: run(SocketCalls.sendmsg, .fd, .address, .bits(.message))
        case .recvmsg: run(SocketCalls.recvmsg, .fd, .address, .bits(.message))
        case .readahead: pass(.fd, .offset, .size)

        // Memory, keys, processes
        case .brk: run(MemoryCalls.brk, .hex).showingHexadecimal
        case .munmap: run(MemoryCalls.munmap, .hex, .size)
        case .mremap: run(MemoryCalls.mremap, .hex, .size, .size, .hex, .hex).showingHexadecimal
        case .add_key: pass(.string, .string, .input(.bytes, count: 3), .size, .int)
        case .request_key: pass(.string, .string, .string, .int)
        case .keyctl: run(KeyCalls.keyctl, .int, .hex, .hex, .hex, .hex)
        case .clone: run(ProcessCalls.clone, .bits(.clone), .hex, .address, .hex, .address)
        case .execve: run(ProcessCalls.execve, .path, .address, .address)
        case .mmap:
            run(MemoryCalls.mmap, .hex, .size, .bits(.mapProtection), .bits(.mapFlags), .fd, .hex).showingHexadecimal
        case .fadvise64: pass(.fd, .offset, .offset, .value(.fadvise))
        case .swapon: forbidden(.path, .hex)
        case .swapoff: forbidden(.path)
        case .mprotect: run(MemoryCalls.mprotect, .hex, .size, .bits(.mapProtection))
        case .msync: run(MemoryCalls.msync, .hex, .size, .bits(.memorySync))
        case .mlock: run(MemoryCalls.mlock, .hex, .size)
        case .munlock: run(MemoryCalls.munlock, .hex, .size)
        case .mlockall: run(MemoryCalls.mlockall, .bits(.mlockAll))
        case .munlockall: run(MemoryCalls.munlockall)
        case .mincore: run(MemoryCalls.mincore, .hex, .size, .address)
        case .madvise: run(MemoryCalls.madvise, .hex, .size, .value(.madvise))
        case .remap_file_pages: missing(.hex, .size, .hex, .size, .hex)
        case .mbind: run(MemoryCalls.mbind, .hex, .size, .int, .address, .size, .hex)
        case .get_mempolicy: pass(.output(.int32), .bitset(count: 2), .size, .input(.bytes, count: 4), .hex)
        case .set_mempolicy: pass(.int, .bitset(count: 2), .size)
        case .migrate_pages: pass(.int, .size, .bitset(count: 1), .bitset(count: 1))
        case .move_pages: run(MemoryCalls.movePages, .int, .size, .address, .address, .address, .hex)
        case .rt_tgsigqueueinfo: run(SignalCalls.tgsigqueueinfo, .int, .int, .signal, .address)
        case .perf_event_open: run(MiscCalls.perfEvent, .address, .int, .int, .fd, .hex)
        case .accept4: wait(.fd, .output(.socketAddress, lengthAt: 2), .both(.int32), .bits(.socketFlags))
        case .recvmmsg: run(SocketCalls.recvmmsg, .fd, .address, .size, .bits(.message), .input(.timespec))

        // RISC-V
        case .riscv_hwprobe: run(MiscCalls.hardwareProbe, .address, .size, .size, .address, .hex)
        case .riscv_flush_icache: run(MiscCalls.flushInstructionCache, .hex, .hex, .hex)

        // Since Linux 2.6.28
        case .wait4: run(ProcessCalls.wait4, .int, .address, .bits(.wait), .address)
        case .prlimit64: run(LimitCalls.processLimit, .int, .value(.resource), .input(.rlimit64), .output(.rlimit64))
        case .fanotify_init: pass(.hex, .bits(.open))
        case .fanotify_mark: pass(.fd, .hex, .offset, .directory, .path)
        case .name_to_handle_at: run(FileCalls.nameToHandle, .directory, .path, .address, .address, .bits(.at))
        case .open_by_handle_at: run(FileCalls.openByHandle, .fd, .address, .bits(.open))
        case .clock_adjtime: pass(.value(.clock), .both(.timex))
        case .syncfs: pass(.fd)
        case .setns: run(NamespaceCalls.setns, .fd, .bits(.clone))
        case .sendmmsg: run(SocketCalls.sendmmsg, .fd, .address, .size, .bits(.message))
        case .process_vm_readv: run(FileCalls.processRead, .int, .address, .size, .address, .size, .hex)
        case .process_vm_writev: run(FileCalls.processWrite, .int, .address, .size, .address, .size, .hex)
        case .kcmp: pass(.int, .int, .int, .size, .size)
        case .finit_module: forbidden(.fd, .string, .hex)
        case .sched_setattr: run(MiscCalls.setSchedulerAttributes, .int, .address, .hex)
        case .sched_getattr: run(MiscCalls.schedulerAttributes, .int, .address, .size, .hex)
        case .renameat2: pass(.directory, .link, .directory, .link, .bits(.rename))
        case .seccomp: run(SeccompCalls.seccomp, .int, .hex, .address)
        case .getrandom: wait(.output(.bytes, count: 1), .size, .bits(.random))
        case .memfd_create: pass(.string, .bits(.memfd))
        case .bpf: forbidden(.int, .address, .size)
        case .execveat: run(ProcessCalls.execveat, .directory, .path, .address, .address, .bits(.at))
        case .userfaultfd: missing(.hex)
        case .membarrier: pass(.value(.membarrier), .hex, .int)
        case .mlock2: run(MemoryCalls.mlock2, .hex, .size, .hex)
        case .copy_file_range: run(FileCalls.copyFileRange, .fd, .both(.uint64), .fd, .both(.uint64), .size, .hex)
        case .preadv2: run(FileCalls.preadv2, .fd, .address, .size, .int, .int, .bits(.readWrite))
        case .pwritev2: run(FileCalls.pwritev2, .fd, .address, .size, .int, .int, .bits(.readWrite))
        case .pkey_mprotect: missing(.hex, .size, .bits(.mapProtection), .int)
        case .pkey_alloc: missing(.hex, .hex)
        case .pkey_free: missing(.int)
        case .statx: run(FileCalls.statx, .directory, .path(flags: 2), .bits(.at), .bits(.statx), .address)
        case .io_pgetevents: missing(.hex, .int, .int, .address, .address, .address)
        case .rseq: missing(.address, .size, .hex, .hex)
        case .kexec_file_load: forbidden(.fd, .fd, .size, .string, .hex)

        // Since Linux 5.1: one numbering for all architectures
        case .pidfd_send_signal: run(SignalCalls.pidfdSendSignal, .fd, .signal, .address, .hex)
        case .io_uring_setup: missing(.size, .address)
        case .io_uring_enter: missing(.fd, .size, .size, .hex, .address, .size)
        case .io_uring_register: missing(.fd, .size, .address, .size)
        case .open_tree: pass(.directory, .path, .hex)
        case .move_mount: pass(.directory, .path, .directory, .path, .hex)
        case .fsopen: pass(.string, .hex)
        case .fsconfig: pass(.fd, .int, .string, .string, .int)
        case .fsmount: pass(.fd, .hex, .hex)
        case .fspick: pass(.directory, .path, .hex)
        case .pidfd_open: pass(.int, .bits(.pidfd))
        case .clone3: run(ProcessCalls.clone3, .address, .size)
        case .close_range: run(FileCalls.closeRange, .fd, .fd, .bits(.closeRange))
        case .openat2: run(FileCalls.openat2, .directory, .path, .address, .size)
        case .pidfd_getfd: pass(.fd, .fd, .hex)
        case .faccessat2: pass(.directory, .path(flags: 3), .bits(.access), .bits(.at))
        case .process_madvise: run(MemoryCalls.processAdvise, .fd, .address, .size, .value(.madvise), .hex)
        case .epoll_pwait2:
            run(PollingCalls.epollWait2, .fd, .address, .int, .input(.timespec), .input(.signalSet), .size)
        case .mount_setattr: pass(.directory, .path, .hex, .input(.opaque, count: 4), .size)
        case .quotactl_fd: missing(.fd, .hex, .int, .address)
        case .landlock_create_ruleset: pass(.input(.bytes, count: 1), .size, .hex)
        case .landlock_add_rule: pass(.fd, .int, .input(bytes: 16), .hex)
        case .landlock_restrict_self: run(LandlockCalls.restrictSelf, .fd, .hex)
        case .memfd_secret: pass(.hex)
        case .process_mrelease: pass(.fd, .hex)
        case .futex_waitv: run(FutexVectors.wait, .address, .size, .hex, .input(.timespec), .value(.clock))
        case .set_mempolicy_home_node: run(MemoryCalls.setHomeNode, .hex, .size, .int, .hex)
        case .cachestat: pass(.fd, .input(.uint64Pair), .output(.uint64Quintuple), .hex)
        case .fchmodat2: pass(.directory, .path(flags: 3), .mode, .bits(.at))
        case .map_shadow_stack: missing(.hex, .size, .hex)
        case .futex_wake: pass(.input(bytes: 4), .hex, .int, .hex)
        case .futex_wait: wait(.input(bytes: 4), .hex, .hex, .hex, .input(.timespec), .value(.clock))
        case .futex_requeue: run(FutexVectors.requeue, .address, .hex, .int, .int)
        case .statmount: pass(.input(bytes: 24), .output(.bytes, count: 2), .size, .hex)
        case .listmount: pass(.input(bytes: 24), .output(.uint64, count: 2), .size, .hex)
        case .lsm_get_self_attr: pass(.int, .output(.bytes, lengthAt: 2), .both(.int32), .hex)
        case .lsm_set_self_attr: pass(.int, .input(.bytes, count: 2), .size, .hex)
        case .lsm_list_modules: pass(.output(.bytes, lengthAt: 1), .both(.int32), .hex)
        case .mseal: run(MemoryCalls.mseal, .hex, .size, .hex)
        case .setxattrat: missing(.directory, .path, .bits(.at), .string, .address, .size)
        case .getxattrat: missing(.directory, .path, .bits(.at), .string, .address, .size)
        case .listxattrat: pass(.directory, .path(flags: 2), .bits(.at), .output(.bytes, count: 4), .size)
        case .removexattrat: pass(.directory, .path(flags: 2), .bits(.at), .string)
        case .open_tree_attr: pass(.directory, .path, .hex, .input(.opaque, count: 4), .size)
        case .file_getattr: pass(.directory, .path(flags: 4), .output(.opaque, count: 3), .size, .bits(.at))
        case .file_setattr: pass(.directory, .path(flags: 4), .input(.opaque, count: 3), .size, .bits(.at))

        // Calls of older ABIs for which newer ones stand
        case .open:
            call(.openat, [cwd, .argument(0), .argument(1), .argument(2)], .path, .bits(.open), .mode)
        case .creat:  // O_CREAT, O_WRONLY, O_TRUNC
            call(.openat, [cwd, .argument(0), .constant(0x241), .argument(1)], .path, .mode)
        case .stat: call(.newfstatat, [cwd, .argument(0), .argument(1), .none], .path, .address)
        case .lstat: call(.newfstatat, [cwd, .argument(0), .argument(1), .constant(0x100)], .link, .address)
        case .access: call(.faccessat, [cwd, .argument(0), .argument(1)], .path, .bits(.access))
        case .pipe: call(.pipe2, [.argument(0), .none], .output(.int32Pair))
        case .pause: call(.ppoll, [.none, .none, .none, .none, .constant(8)])
        case .fork: call(.clone, [.constant(17)])  // SIGCHLD
        case .vfork: call(.clone, [.constant(0x4111)])  // CLONE_VFORK, CLONE_VM, SIGCHLD
        case .rename:
            call(.renameat2, [cwd, .argument(0), cwd, .argument(1), .none], .link, .link)
        case .renameat:
            call(
                .renameat2, [.argument(0), .argument(1), .argument(2), .argument(3), .none], .directory, .link,
                .directory, .link)
        case .mkdir: call(.mkdirat, [cwd, .argument(0), .argument(1)], .link, .mode)
        case .rmdir: call(.unlinkat, [cwd, .argument(0), .constant(0x200)], .link)  // AT_REMOVEDIR
        case .link: call(.linkat, [cwd, .argument(0), cwd, .argument(1), .none], .link, .link)
        case .unlink: call(.unlinkat, [cwd, .argument(0), .none], .link)
        case .symlink: call(.symlinkat, [.argument(0), cwd, .argument(1)], .string, .link)
        case .readlink:
            call(
                .readlinkat, [cwd, .argument(0), .argument(1), .argument(2)], .link, .output(.bytes, count: 2), .size)
        case .chmod: call(.fchmodat, [cwd, .argument(0), .argument(1)], .path, .mode)
        case .chown:
            call(.fchownat, [cwd, .argument(0), .argument(1), .argument(2), .none], .path, .int, .int)
        case .lchown:
            call(
                .fchownat, [cwd, .argument(0), .argument(1), .argument(2), .constant(0x100)], .link, .int, .int)
        case .mknod: call(.mknodat, [cwd, .argument(0), .argument(1), .argument(2)], .link, .mode, .hex)
        case .getpgrp: call(.getpgid, [.none])
        case .epoll_create: call(.epoll_create1, [.none], .int)
        case .epoll_wait:
            call(
                .epoll_pwait, [.argument(0), .argument(1), .argument(2), .argument(3), .none, .constant(8)], .fd,
                .address, .int, .int)
        case .inotify_init: call(.inotify_init1, [.none])
        case .signalfd:
            call(
                .signalfd4, [.argument(0), .argument(1), .argument(2), .none], .fd, .input(.signalSet), .size)
        case .eventfd: call(.eventfd2, [.argument(0), .none], .size)
        case .dup2: run(LegacyCalls.dup2, .fd, .fd)
        case .poll: run(LegacyCalls.poll, .address, .size, .int)
        case .select: run(LegacyCalls.select, .int, .address, .address, .address, .both(.timeval))
        case .alarm: run(LegacyCalls.alarm, .size)
        case .time: run(LegacyCalls.time, .address)
        case .utime: run(LegacyCalls.utime, .path, .input(bytes: 16))
        case .utimes: run(LegacyCalls.utimes, .path, .input(.timevalPair))
        case .futimesat: run(LegacyCalls.futimesat, .directory, .path, .input(.timevalPair))
        case .getdents: missing(.fd, .address, .size)
        case .uselib: missing(.path)
        case .ustat: missing(.hex, .address)
        case .sysfs: missing(.int, .hex, .address)
        case ._sysctl: missing(.address)
        case .create_module: missing(.string, .size)
        case .get_kernel_syms: missing(.address)
        case .query_module: missing(.string, .int, .address, .size, .address)
        case .getpmsg, .putpmsg, .afs_syscall, .tuxcall, .security, .vserver: missing()
        case .epoll_ctl_old: missing(.fd, .value(.epollControl), .fd, .address)
        case .epoll_wait_old: missing(.fd, .address, .int)

        // 32-bit ABIs
        case .mmap2:
            call(
                .mmap, [.argument(0), .argument(1), .argument(2), .argument(3), .argument(4), .pages(5)], .hex, .size,
                .bits(.mapProtection), .bits(.mapFlags), .fd, .int
            ).showingHexadecimal
        case .truncate64: call(.truncate, [.argument(0), .argument(1)], .path, .offset)
        case .ftruncate64: call(.ftruncate, [.argument(0), .argument(1)], .fd, .offset)
        case .llseek: run(LegacyCalls.llseek, .fd, .hex, .hex, .output(.uint64), .value(.seek))
        case .statfs64: run(LegacyCalls.statfs64, .path, .size, .address)
        case .fstatfs64: run(LegacyCalls.fstatfs64, .fd, .size, .address)
        case .fcntl64: run(LegacyCalls.fcntl64, .fd, .value(.fcntl), .hex)

        // x86
        case .modify_ldt: missing(.int, .address, .size)
        case .arch_prctl: missing(.hex, .hex)
        case .iopl: forbidden(.int)
        case .ioperm: forbidden(.hex, .size, .int)
        case .set_thread_area: missing(.address)
        case .get_thread_area: missing(.address)
        case .uretprobe: missing()
        }
    }

    /// AT_FDCWD
    private static var cwd: Operand { .constant(-100) }

    // MARK: Making rows

    private static func call(
        _ other: SystemCallID, _ operands: [Operand], _ a0: Argument = .none, _ a1: Argument = .none,
        _ a2: Argument = .none, _ a3: Argument = .none, _ a4: Argument = .none, _ a5: Argument = .none
    ) -> SystemCallRow { SystemCallRow(.call(RewrittenCall(other, operands)), a0, a1, a2, a3, a4, a5) }

    private static func pass(
        _ a0: Argument = .none, _ a1: Argument = .none, _ a2: Argument = .none, _ a3: Argument = .none,
        _ a4: Argument = .none, _ a5: Argument = .none
    ) -> SystemCallRow { SystemCallRow(.passThrough, a0, a1, a2, a3, a4, a5) }

    private static func wait(
        _ a0: Argument = .none, _ a1: Argument = .none, _ a2: Argument = .none, _ a3: Argument = .none,
        _ a4: Argument = .none, _ a5: Argument = .none
    ) -> SystemCallRow { SystemCallRow(.passThroughBlocking, a0, a1, a2, a3, a4, a5) }

    private static func run(
        _ handler: @escaping SystemCallHandler, _ a0: Argument = .none, _ a1: Argument = .none, _ a2: Argument = .none,
        _ a3: Argument = .none, _ a4: Argument = .none, _ a5: Argument = .none
    ) -> SystemCallRow { SystemCallRow(.handler(handler), a0, a1, a2, a3, a4, a5) }

    private static func missing(
        _ a0: Argument = .none, _ a1: Argument = .none, _ a2: Argument = .none, _ a3: Argument = .none,
        _ a4: Argument = .none, _ a5: Argument = .none
    ) -> SystemCallRow { SystemCallRow(.notImplemented(.nosys), a0, a1, a2, a3, a4, a5) }

    private static func forbidden(
        _ a0: Argument = .none, _ a1: Argument = .none, _ a2: Argument = .none, _ a3: Argument = .none,
        _ a4: Argument = .none, _ a5: Argument = .none
    ) -> SystemCallRow { SystemCallRow(.notImplemented(.perm), a0, a1, a2, a3, a4, a5) }
}
