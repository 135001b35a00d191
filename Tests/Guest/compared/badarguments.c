// Every system call with bad arguments, in all combinations of a few values for each: which error comes first is the
// kernel's own order of checks. One line a combination of all arguments but the last.
//
// A call is tried only where no combination can wait, or change anything outside this process and its folder.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Numbers that older headers lack are the same on all architectures.
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#endif
#ifndef SYS_futex_wait
#define SYS_futex_wait 455
#endif
#ifndef SYS_futex_requeue
#define SYS_futex_requeue 456
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
#ifndef SYS_listmount
#define SYS_listmount 458
#endif
#ifndef SYS_lsm_get_self_attr
#define SYS_lsm_get_self_attr 459
#endif
#ifndef SYS_lsm_set_self_attr
#define SYS_lsm_set_self_attr 460
#endif
#ifndef SYS_lsm_list_modules
#define SYS_lsm_list_modules 461
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#define SYS_open_tree_attr 467
#define SYS_file_getattr 468
#define SYS_file_setattr 469

// What a letter of a row stands for; anything else in a row is a list of numbers, "1|-1|0x40".
//   D descriptor   A directory descriptor   P path that leads nowhere   T string
//   O for output   I for input, zeros       X unusable pointer          S size
//   N number       F flags                  M address of memory         V array of pointers
static struct { char letter; int count; long values[10]; } kinds[20];
static int kindCount;
static char *page, *edge, *readOnly, *zeros;

static void kind(char letter, int count, const long *values) {
    kinds[kindCount].letter = letter;
    kinds[kindCount].count = count;
    memcpy(kinds[kindCount++].values, values, count * sizeof *values);
}
#define KIND(letter, ...) kind(letter, sizeof (long[]){__VA_ARGS__} / sizeof(long), (long[]){__VA_ARGS__})

struct row { const char *name; long number; const char *arguments; };
#define ROW(name, ...) {#name, SYS_##name, __VA_ARGS__},
#define SKIP(name, why)

static const struct row rows[] = {
    SKIP(io_setup, "missing") SKIP(io_destroy, "missing") SKIP(io_submit, "missing") SKIP(io_cancel, "missing")
    SKIP(io_getevents, "missing")
    ROW(setxattr, "P T I S F") ROW(lsetxattr, "P T I S F") ROW(fsetxattr, "D T I S F")
    ROW(getxattr, "P T O S") ROW(lgetxattr, "P T O S") ROW(fgetxattr, "D T O S")
    ROW(listxattr, "P O S") ROW(llistxattr, "P O S") ROW(flistxattr, "D O S")
    ROW(removexattr, "P T") ROW(lremovexattr, "P T") ROW(fremovexattr, "D T")
    ROW(getcwd, "O S") SKIP(lookup_dcookie, "missing") ROW(eventfd2, "N F") ROW(epoll_create1, "F")
    ROW(epoll_ctl, "D 0|1|2|3|9 D I") ROW(epoll_pwait, "D O 0|-1|1|0x10000000 0 I 8|0|7") ROW(dup, "D") ROW(dup3, "D -1|100000000 F")
    ROW(fcntl, "D 0|1|3|5|6|8|9|10|11|15|16|17|36|37|1025|1026|1030|1032|1033|1034|1035|1036|99 O")
    ROW(fcntl, "D 2|4|7|38|1024|1031 -1|8") ROW(inotify_init1, "F") ROW(inotify_add_watch, "D P F") ROW(inotify_rm_watch, "D N")
    ROW(ioctl, "D 0x5401|0x5402|0x541b|0x5421|0x5413|0x540f|0x8912|0x8913|0x8927|0x8946|0x80086601|0x40086602|0x5460 O")
    ROW(ioctl, "D 0x1260|0x125d|0x1277|0x4c00|0x4c03|0x4c05|0x40049409|0x4020940d|0x12345678|0x80045430|0xb703 X")
    ROW(ioprio_set, "99|-1 N 0x7fffffff|-1") ROW(ioprio_get, "99|-1 N") ROW(flock, "D 0|99|-1")
    ROW(mknodat, "A P 0|0xffff|0x1000 0") ROW(mkdirat, "A X 0") ROW(unlinkat, "A P 0|0x200|0x400") ROW(symlinkat, "P A X")
    ROW(linkat, "A P A P 0|0x1000|0x800") ROW(umount2, "P F") ROW(mount, "P P T F X") ROW(pivot_root, "P P")
    SKIP(nfsservctl, "missing") ROW(statfs, "P O") ROW(fstatfs, "D O") ROW(truncate, "P N") ROW(ftruncate, "D -1")
    ROW(fallocate, "D F -1|0 -1|0") ROW(faccessat, "A P 0|8|7") ROW(chdir, "P") ROW(fchdir, "-1|999") ROW(chroot, "P")
    ROW(fchmod, "-1|999 0") ROW(fchmodat, "A P 0755") ROW(fchownat, "A P -1 -1 0|0x1000|0x40000000") ROW(fchown, "D -1 -1")
    ROW(openat, "A P 0|2|0x40|0x10000|0x200000|0x410000|-1 0") ROW(close, "-1|999") SKIP(vhangup, "takes the terminal away")
    ROW(pipe2, "O F") SKIP(quotactl, "missing") ROW(getdents64, "D O S") ROW(lseek, "D N 0|1|2|3|4|5|-1")
    ROW(read, "D O S") ROW(write, "-1|999 I S") ROW(readv, "D V 0|1|-1|1025|0x100000001") ROW(writev, "D V 0|1|-1|1025")
    ROW(pread64, "D O S N") ROW(pwrite64, "-1|999 I S N") ROW(preadv, "D V 0|1|-1|1025 N 0") ROW(pwritev, "D V 0|1|-1|1025 N 0")
    ROW(sendfile, "-1|999 D I S") ROW(sendfile, "D D X S")
    ROW(pselect6, "-1|0|1|1000 O X I X X") ROW(pselect6, "0|1|2000000 0 O 0 8|Z 0") ROW(ppoll, "O 0|1|-1|100000 X I 8|0") ROW(ppoll, "O 0|1|100000000 I X 8|0")
    ROW(signalfd4, "D I 8|0|9 F") ROW(signalfd4, "-1|-2 I 8|0 0|-1") ROW(vmsplice, "D V 0|1|-1|1025 2|-1") ROW(splice, "D I D I 0|8 2|-1")
    ROW(tee, "D D 0|8 2|-1") ROW(readlinkat, "A P O 0|-1|8") ROW(newfstatat, "A P O 0|0x1000|0x100|-1") ROW(fstat, "D O")
    SKIP(sync, "takes no argument") ROW(fsync, "D") ROW(fdatasync, "D") ROW(sync_file_range, "D N N F")
    ROW(timerfd_create, "N F") ROW(timerfd_settime, "D F I O") ROW(timerfd_gettime, "D O") ROW(utimensat, "A P I 0|0x100|-1")
    SKIP(acct, "refused: the machine's")
    ROW(capget, "I O") ROW(capset, "I X") ROW(personality, "-1") SKIP(exit, "ends") SKIP(exit_group, "ends")
    ROW(waitid, "0|1|3|99 0x7fffffff|-1 O 0|4|-1 O") SKIP(set_tid_address, "takes any address") ROW(unshare, "0x1|0x80000000")
    ROW(futex, "I 1|9|11|0x181|99|127 1 X I 0") ROW(futex, "I 3|4|5|6|7|8|10|12|13 0|-1 -1|0 I 0|1") ROW(set_robust_list, "M 0|23|25|-1")
    ROW(get_robust_list, "0x7fffffff|-1|0 O X") ROW(nanosleep, "I X") ROW(getitimer, "N O") ROW(setitimer, "N I O")
    SKIP(kexec_load, "refused: the machine's") SKIP(init_module, "refused: the machine's") SKIP(delete_module, "refused: the machine's")
    ROW(timer_create, "0|1|-1|99 X O") ROW(timer_gettime, "N O") ROW(timer_getoverrun, "N") ROW(timer_settime, "N F I O") ROW(timer_delete, "N")
    ROW(clock_settime, "-1|99|1 I") ROW(clock_settime, "0 X") ROW(clock_gettime, "0|1|2|-1|-6|99 O") ROW(clock_getres, "0|-1|99 O") ROW(clock_nanosleep, "0|1|3|-1|99 0|1|-1 I X")
    ROW(syslog, "-1|99|3 X -1|0|8") SKIP(ptrace, "missing") ROW(sched_setparam, "-1|0x7fffffff|0 X") ROW(sched_setscheduler, "-1|0x7fffffff|0 0|99|-1 X")
    ROW(sched_getscheduler, "-1|0x7fffffff") ROW(sched_getparam, "-1|0x7fffffff|0 O") ROW(sched_setaffinity, "0x7fffffff|0 0|8|-1|1024 I")
    ROW(sched_getaffinity, "-1|0x7fffffff|0 0|1|8|-1|1024 O") SKIP(sched_yield, "takes no argument") ROW(sched_get_priority_max, "N") ROW(sched_get_priority_min, "N")
    ROW(sched_rr_get_interval, "-1|0x7fffffff|0 O") SKIP(restart_syscall, "missing")
    ROW(kill, "0x7fffffff -1|0|65") ROW(tkill, "-1|0|0x7fffffff -1|0|65") ROW(tgkill, "-1|0|0x7fffffff -1|0|0x7fffffff -1|0|65")
    ROW(sigaltstack, "X O") ROW(rt_sigsuspend, "X 8|0|9") ROW(rt_sigaction, "-1|0|9|10|19|64|65 I O 8|0|9") ROW(rt_sigprocmask, "0|1|2|3|-1 I O 8|0|9")
    ROW(rt_sigpending, "O 0|8|9") ROW(rt_sigtimedwait, "I O 8|Z 8|0|9") ROW(rt_sigqueueinfo, "-1|0x7fffffff -1|0|65 I") SKIP(rt_sigreturn, "changes all registers")
    ROW(setpriority, "99|-1 N N") ROW(getpriority, "99|-1|0 0x7fffffff|-1") SKIP(reboot, "refused: the machine's")
    ROW(setregid, "-1 -1") ROW(setgid, "-1") ROW(setreuid, "-1 -1") ROW(setuid, "-1") ROW(setresuid, "-1 -1 -1") ROW(getresuid, "O O X") ROW(setresgid, "-1 -1 -1")
    ROW(getresgid, "O O X") SKIP(setfsuid, "never fails") SKIP(setfsgid, "never fails") ROW(times, "O") ROW(setpgid, "-1|0x7fffffff N") ROW(getpgid, "-1|0x7fffffff")
    ROW(getsid, "-1|0x7fffffff") SKIP(setsid, "takes no argument") ROW(getgroups, "-1|0|1000 O") ROW(setgroups, "-1|70000 I") ROW(setgroups, "1 X") ROW(uname, "O")
    ROW(sethostname, "X -1|65|8|0x100000008") ROW(setdomainname, "X -1|65|8") ROW(getrlimit, "0|7|-1|99 O") ROW(setrlimit, "-1|99 I") ROW(setrlimit, "0|2|3|7|9 X")
    ROW(getrusage, "0|-1|1|99 O") SKIP(umask, "never fails")
    ROW(prctl, "2|9|16|19|37|40 O 0 0 0") ROW(prctl, "3|7|21|27|30|34|39|42|46|51|60|62|63|68|70|999|-1 0|1 0|1 0|1 0|1")
    ROW(prctl, "1|4|8|22|23|24|26|28|29|33|36|38|41|43|47|50|53|54|55|56|57|59|61|64|67|69|71|72|74|75|78|80 -1|99 -1 -1 -1") ROW(prctl, "15 X 0 0 0")
    ROW(getcpu, "O O X") ROW(gettimeofday, "O X") ROW(settimeofday, "X X") ROW(adjtimex, "I") SKIP(getpid, "takes no argument") SKIP(getppid, "takes no argument")
    SKIP(getuid, "takes no argument") SKIP(geteuid, "takes no argument") SKIP(getgid, "takes no argument") SKIP(getegid, "takes no argument") SKIP(gettid, "takes no argument")
    ROW(sysinfo, "O")
    ROW(mq_open, "P 0|0x40|3 0 I") ROW(mq_unlink, "P") ROW(mq_timedsend, "D I S 0|-1 X") ROW(mq_timedreceive, "D O S I X") ROW(mq_notify, "D X") ROW(mq_getsetattr, "D I O")
    ROW(msgget, "0x7ffffff1 0") ROW(msgctl, "-1|0x7fffffff 0|1|2|11|13|99|-1 O") ROW(msgctl, "0 3|12|99 O") ROW(msgrcv, "-1|0x7fffffff O S 0 0|-1") ROW(msgsnd, "-1|0x7fffffff I S 0|-1")
    ROW(semget, "0x7ffffff1 -1|0|100000000 0") ROW(semctl, "-1|0x7fffffff 0|-1 0|1|2|11|12|13|16|17|18|20|99|-1 X") ROW(semctl, "0 0 3|19|99 O")
    ROW(semtimedop, "-1|0x7fffffff I 0|1|1000|-1 I") ROW(semop, "-1|0x7fffffff I 0|1|1000|-1") ROW(shmget, "0x7ffffff1 0|-1|1 0") ROW(shmctl, "-1|0x7fffffff 0|1|2|11|13|15|99|-1 O")
    ROW(shmctl, "0 3|14|99 O") ROW(shmat, "-1|0x7fffffff M 0|-1") ROW(shmdt, "M")
    ROW(socket, "1|2|99|-1 0|1|99|-1 0|-1") ROW(socketpair, "1|2|99|-1 1|99|-1 0|-1 O") ROW(bind, "D I S") ROW(listen, "-1|999 N") ROW(accept, "D O I")
    ROW(connect, "D I S") ROW(getsockname, "D O L") ROW(getpeername, "D O L") ROW(sendto, "D I 0|8|-1 0x40|-1 X S") ROW(recvfrom, "D O S 0x40|-1 O L")
    ROW(setsockopt, "D 0|1|6|999|-1 0|2|999|-1 I 0|3|4|-1") ROW(getsockopt, "D 0|1|6|999|-1 0|2|3|999|-1 O L") ROW(shutdown, "-1|999 0|99|-1")
    ROW(sendmsg, "D H 0x40|-1") ROW(recvmsg, "D H 0x40|0x80000000") ROW(readahead, "D N S")
    SKIP(brk, "returns an address") ROW(munmap, "1|U|0x4000000000000000|-4096 0|1|4096|-1") ROW(mremap, "1|U|0x4000000000000000|M 0|4096|-1 0|4096|-1 0|1|2|3|99|-1 1|-4096")
    ROW(add_key, "T T I S -1|0") ROW(request_key, "T T T -1|0") ROW(keyctl, "99|-1") ROW(keyctl, "6|11 -1|0 O S") ROW(keyctl, "10 -1|0 T T 0") ROW(keyctl, "0|3|9 -1|0 -1|0") ROW(keyctl, "31 O S") SKIP(clone, "arguments in another order") ROW(execve, "P X X")
    ROW(mmap, "0|1|0x4000000000000000 0|4096|-1|0x4000000000000000 0|3 0|1|2|3|0x22 D 0|1") ROW(mmap, "1|0x4000000000000000 0|4096|-1|0x4000000000000000 0|3 0x12|0x32|0x100022 D 0|1") ROW(fadvise64, "D N N 0|4|99|-1") SKIP(swapon, "refused: the machine's") SKIP(swapoff, "refused: the machine's")
    ROW(mprotect, "1|U|0x4000000000000000|-4096|Z 0|1|4096|-1 1|3|0x100|-1|0x3000001") ROW(msync, "M 0|1|4096|8192|-1 0|1|2|4|5|8|-1") ROW(mlock, "U|0x4000000000000000|-4096 0|4096|-1")
    ROW(munlock, "M 0|4096|-1") ROW(mlockall, "0|8|-1") SKIP(munlockall, "takes no argument") ROW(mincore, "M 0|1|8192|-1 O") ROW(madvise, "M 0|4096|8192|-1 0|1|3|99|-1")
    SKIP(remap_file_pages, "missing") ROW(mbind, "M 0|1|-1 0|99 O 0|1|-1|70000 0|-1") ROW(get_mempolicy, "O O 0|1|64|70000 M 0|1|2|-1") ROW(set_mempolicy, "0|99 X 0|70000") ROW(migrate_pages, "-1|0x7fffffff 0|64|70000 I I") ROW(move_pages, "-1|0x7fffffff 0|1|-1 X X O 0|2|-1")
    ROW(rt_tgsigqueueinfo, "-1|0x7fffffff -1|0x7fffffff -1|0|65 I") ROW(perf_event_open, "X -1|0 -1|0 -1 0|-1") ROW(accept4, "D O I 0|-1|0x800") ROW(recvmmsg, "D H 0|1 0x40|0x80000000 X") ROW(recvmmsg, "D H 0|1|-1 0x40 0")
    SKIP(riscv_hwprobe, "one architecture's") SKIP(riscv_flush_icache, "one architecture's")
    ROW(wait4, "-1|0x7fffffff|0x80000000 O 0|1|-1 O") ROW(prlimit64, "0|0x7fffffff|-1 -1|99 X O") ROW(prlimit64, "0|0x7fffffff 7|9|2 0|8 O") ROW(fanotify_init, "-1|0x80000000 0|-1") ROW(fanotify_mark, "D 0|1|-1 0|1 A P")
    ROW(name_to_handle_at, "A P I O 0|0x1000|-1") ROW(open_by_handle_at, "D I 0|2") ROW(clock_adjtime, "0|1|-1|99 I") ROW(syncfs, "-1|999") ROW(setns, "D 0|-1") ROW(sendmmsg, "D H 0|1 0x40")
    ROW(process_vm_readv, "-1|0x7fffffff V 0|1|-1|1025 V 0|1|-1|1025 0|1") ROW(process_vm_writev, "-1|0x7fffffff V 0|1|-1|1025 V 0|1|-1|1025 0|1") ROW(kcmp, "0x7fffffff|-1 0x7fffffff 0|99|-1 0 0")
    SKIP(finit_module, "refused: the machine's") ROW(sched_setattr, "-1|0x7fffffff|0 X 0|1") ROW(sched_setattr, "-1|0x7fffffff I 0|1") ROW(sched_getattr, "-1|0x7fffffff|0 O 0|47|48|56|4096|-1 0|1") ROW(renameat2, "A P A P 0|1|2|3|8|-1") ROW(seccomp, "0|1|2|3|99 1|0x80 X")
    ROW(getrandom, "O 0|8|-1 0|1|4|8|-1") ROW(memfd_create, "T 0|0x10|-1") SKIP(bpf, "refused: the machine's") ROW(execveat, "A P X X 0|0x100|0x1000|-1") SKIP(userfaultfd, "missing") ROW(membarrier, "99|-1|8 0|1|-1 0")
    ROW(mlock2, "U|0x4000000000000000|M 0|4096|-1 2|-1") ROW(copy_file_range, "D I D I 0|8 0|1") ROW(preadv2, "D V 0|1|-1|1025 0|-1 0 0|0x8000|-1") ROW(pwritev2, "-1|999 V 0|1|-1|1025 0|-1 0 0|0x8000|-1")
    SKIP(pkey_mprotect, "missing") SKIP(pkey_alloc, "missing") SKIP(pkey_free, "missing") ROW(statx, "A P 0|0x1000|0x6000|-1 0|0x7ff|0x80000000 O") SKIP(io_pgetevents, "missing") SKIP(rseq, "missing") SKIP(kexec_file_load, "refused: the machine's")
    ROW(pidfd_send_signal, "D 0|-1|65 I 0|1|-1") SKIP(io_uring_setup, "missing") SKIP(io_uring_enter, "missing") SKIP(io_uring_register, "missing") ROW(open_tree, "A P 0|-1|0x1000") ROW(move_mount, "A P A P 0|-1|0x4")
    ROW(fsopen, "T 0|-1") ROW(fsconfig, "D 0|1|5|6|99|-1 T X 0|-1") ROW(fsmount, "D 0|-1 0|-1") ROW(fspick, "A P 0|-1|8") ROW(pidfd_open, "-1|0|0x7fffffff 0|0x80|0x800|-1") SKIP(clone3, "missing parts")
    ROW(close_range, "5000|-1 4000 0|8|-1") ROW(openat2, "A P I 0|8|24|32|4096|4097|-1") ROW(pidfd_getfd, "D N 0|1") ROW(faccessat2, "A P 0|8|7 0|0x200|0x1000|0x40000000") ROW(process_madvise, "D V 0|1|-1 99|-1 0|-1")
    ROW(epoll_pwait2, "D O 0|-1|1|0x10000000 X I 8|0") ROW(epoll_pwait2, "D O 0|-1|1 I X 8|0|7") ROW(mount_setattr, "A P 0|-1|0x1000 I 0|8|32|40|4097") SKIP(quotactl_fd, "missing") ROW(landlock_create_ruleset, "O 0|8|-1 0|1|2|-1") ROW(landlock_add_rule, "D 0|1|99 I 0|1")
    ROW(landlock_restrict_self, "D 0|1") ROW(memfd_secret, "0x1|-1") ROW(process_mrelease, "D 0|1") ROW(futex_waitv, "O 0|129|-1 0|1 X 0|1|-1") ROW(set_mempolicy_home_node, "M 0|1|-1 0|99 0|1") ROW(cachestat, "D I O 0|1") ROW(fchmodat2, "A P 0755 0|0x100|0x1000|0x40000000")
    SKIP(map_shadow_stack, "missing") ROW(futex_wake, "M 0 0|1 0|-1|2") ROW(futex_wait, "O 1 0xffffffff 0|-1 X 99") ROW(futex_requeue, "X 0|1 0|1 0|1") ROW(statmount, "I O S 0|1") ROW(listmount, "I O 0|1|-1 0|1|2") ROW(lsm_get_self_attr, "0|99|100 O L 0|1") ROW(lsm_set_self_attr, "0|99|100 I 0|32|-1 0|1") ROW(lsm_list_modules, "O L 0|1")
    ROW(mseal, "M 0|1|-1 0|1") SKIP(setxattrat, "missing") SKIP(getxattrat, "missing") ROW(listxattrat, "A P 0|0x100|-1 O S") ROW(removexattrat, "A P 0|0x100|-1 T") ROW(open_tree_attr, "A P 0|-1 I 0|32|4097")
    ROW(file_getattr, "A P O 0|8|24|32|4097 0|0x100|-1") ROW(file_setattr, "A P I 0|8|24|32|4097 0|0x100|-1")
};

static int values(const char *word, int length, long *list) {
    if (length == 1 && word[0] >= 'A' && word[0] <= 'Z' && word[0] != 'U' && word[0] != 'Z') {
        for (int k = 0; k < kindCount; k++)
            if (kinds[k].letter == word[0]) { memcpy(list, kinds[k].values, sizeof kinds[k].values); return kinds[k].count; }
        abort();
    }
    int count = 0;
    for (const char *at = word; at < word + length;) {
        char *end = (char *)at + 1;
        if (*at == 'U') list[count++] = (long)edge;
        else if (*at == 'Z') list[count++] = (long)zeros;
        else if (*at == 'M') list[count++] = (long)readOnly;
        else list[count++] = (long)strtoll(at, &end, 0);
        at = end + 1;
    }
    return count;
}

static char text[1 << 20];
static int used;

static void say(const char *word) { used += snprintf(text + used, sizeof text - used, "%s", word); }

static void try(const struct row *row) {
    long list[6][10] = {{0}};
    int count[6] = {1, 1, 1, 1, 1, 1}, index[6] = {0}, arguments = 0;
    for (const char *at = row->arguments; *at;) {
        int length = strcspn(at, " ");
        count[arguments] = values(at, length, list[arguments]);
        arguments++;
        at += length;
        if (*at) at++;
    }
    for (int at;;) {
        if (index[arguments - 1] == 0) {
            used += snprintf(text + used, sizeof text - used, "%s", row->name);
            for (int i = 0; i < arguments - 1; i++) used += snprintf(text + used, sizeof text - used, " %d", index[i]);
            say(":");
        }
        memset(page, 0, 4096);
        long *a[6];
        for (int i = 0; i < 6; i++) a[i] = &list[i][index[i]];
        errno = 0;
        long result = syscall(row->number, *a[0], *a[1], *a[2], *a[3], *a[4], *a[5]);
        say(" ");
        say(result == -1 && errno ? strerrorname_np(errno) : "ok");
        if (index[arguments - 1] == count[arguments - 1] - 1) say("\n");
        for (at = arguments - 1; at >= 0 && ++index[at] == count[at]; at--) index[at] = 0;
        if (at < 0) break;
    }
    if (write(1, text, used) != used) _exit(1);
    _exit(0);
}

// Everything that calls may change is made anew for each row.
static void prepare(void) {
    int file = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644), pipes[2], sockets[2];
    if (write(file, "contents", 8) != 8 || pipe2(pipes, O_NONBLOCK)) _exit(2);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sockets)) _exit(3);
    int readingFile = open("file", O_RDONLY), directory = open(".", O_RDONLY);
    // [zeros][zeros][page][(none)][read-only][(none)]
    char *memory = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    zeros = memory;
    page = memory + 2 * 4096;
    edge = memory + 3 * 4096;
    readOnly = memory + 4 * 4096;
    munmap(edge, 4096);
    mprotect(readOnly, 4096, PROT_READ);
    munmap(readOnly + 4096, 3 * 4096);
    static char longName[6000];
    memset(longName, 'a', sizeof longName - 1);
    const long bad = 8, end = (long)edge;
    KIND('D', -1, readingFile, pipes[0], directory, sockets[0]);
    KIND('A', AT_FDCWD, -1, readingFile, directory);
    KIND('P', 0, bad, end, (long)"", (long)"missing", (long)"file/below", (long)longName);
    KIND('T', 0, bad, (long)"", (long)"user.name", (long)longName);
    KIND('O', 0, bad, end, (long)readOnly, (long)page);
    KIND('I', 0, bad, end, (long)zeros);
    KIND('X', bad, end, -4096);
    KIND('S', 0, 8, 1L << 62, -1);
    KIND('N', 0, -1, 123456);
    KIND('F', 0, -1, 0x40000000);
    KIND('M', 1, end, (long)readOnly, 1L << 62, -4096);
    static struct iovec vectors[2], huge[2];
    vectors[0] = (struct iovec){(void *)bad, 8};
    huge[0].iov_len = -1UL;
    huge[1].iov_len = 8;
    KIND('V', 0, bad, end, (long)vectors, (long)huge, (long)zeros);
    static int lengths[3] = {0, 8, -1};
    KIND('L', 0, bad, end, (long)&lengths[0], (long)&lengths[1], (long)&lengths[2]);
    static struct msghdr headers[5];
    headers[0] = (struct msghdr){.msg_iov = (void *)bad, .msg_iovlen = 1};
    headers[1] = (struct msghdr){.msg_iov = vectors, .msg_iovlen = 2000};
    headers[2] = (struct msghdr){.msg_iov = vectors, .msg_iovlen = 1};
    headers[3] = (struct msghdr){.msg_name = (void *)bad, .msg_namelen = 8, .msg_iov = vectors, .msg_iovlen = 1};
    headers[4] = (struct msghdr){.msg_namelen = -1, .msg_control = (void *)bad, .msg_controllen = -1UL};
    KIND('H', 0, bad, end, (long)zeros, (long)&headers[0], (long)&headers[1], (long)&headers[2], (long)&headers[3], (long)&headers[4]);
}

int main(int count, char **arguments) {
    char folder[] = "/tmp/badargumentsXXXXXX";
    if (!mkdtemp(folder) || chdir(folder)) return 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (count > 1 && strcmp(arguments[1], rows[i].name)) continue;
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            prepare();
            try(&rows[i]);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (status) {
            printf("%s ended with %x\n", rows[i].name, status);
            fflush(stdout);
        }
        // What has come into being all the same.
        unlink("missing");
        rmdir("missing");
    }
    unlink("file");
    return rmdir(folder);
}
