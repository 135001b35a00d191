// What the kernel writes: for each call how many bytes from the start of its buffer on, and values at the places that the ABI's
// structures have. Structures are declared here with longs, as the kernel's headers declare them, so that this program says on
// every guest what that guest's kernel interface is. Calls are made directly: no C library stands between.
// guests: riscv32
#include "calls.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char room[1024];

static void fill(void) { memset(room, 0xa5, sizeof room); }

// Bytes of the buffer that differ from what was there.
static unsigned written(void) {
    for (unsigned n = sizeof room; n > 0; n--) if (room[n - 1] != 0xa5) return n;
    return 0;
}

static void show(const char *name, long result) { printf("%-16s %s %u\n", name, result < 0 ? "error" : "ok", written()); }

#define PROBE(name, ...) (fill(), show(#name, syscall(SYS_##name, __VA_ARGS__)))

struct time64 { int64_t seconds, nanoseconds; };
struct long_pair { long a, b; };

static void times(void) {
    struct time64 *t = (void *)room;
    PROBE(clock_gettime, 0, room);
    printf("  %d %d\n", t->seconds > 1700000000, t->nanoseconds >= 0 && t->nanoseconds < 1000000000);
    PROBE(clock_getres, 1, room);
    printf("  %d\n", (int)(t->seconds * 1000000000 + t->nanoseconds));
    struct long_pair set[2] = {{0, 0}, {1000, 7}}, *old = (void *)room;
    syscall(SYS_setitimer, 1, set, NULL);
    PROBE(getitimer, 1, room);
    printf("  %ld %ld %d\n", old[0].a, old[0].b, old[1].a == 1000 || old[1].a == 999);
    memset(set, 0, sizeof set);
    syscall(SYS_setitimer, 1, set, NULL);
    struct { union { int i; void *p; } value; int number, notify; char rest[64]; } event = {.number = SIGUSR1};
    int timer;
    printf("timer_create     %ld\n", syscall(SYS_timer_create, 1, &event, &timer));
    struct time64 wanted[2] = {{3, 4}, {5000, 6}};
    syscall(SYS_timer_settime, timer, 0, wanted, NULL);
    PROBE(timer_gettime, timer, room);
    printf("  %d %d %d\n", (int)t[0].seconds, (int)t[0].nanoseconds, t[1].seconds == 5000 || t[1].seconds == 4999);
    PROBE(times, room);
    int fd = syscall(SYS_timerfd_create, 1, 0);
    PROBE(timerfd_gettime, fd, room);
    close(fd);
}

static void signals(void) {
    struct { void *handler; unsigned long flags; uint64_t mask; } action = {(void *)1, 0x10000000, 0x8000000100000002u};
    syscall(SYS_rt_sigaction, SIGUSR2, &action, NULL, 8);
    PROBE(rt_sigaction, SIGUSR2, NULL, room, 8);
    printf("  %d\n", memcmp(room, &action, sizeof action) == 0);
    static char stack[8192];
    struct { void *base; int flags; unsigned long size; } given = {stack, 0, sizeof stack}, *found = (void *)room;
    syscall(SYS_sigaltstack, &given, NULL);
    PROBE(sigaltstack, NULL, room);
    printf("  %d %d %lu\n", found->base == stack, found->flags, found->size);
    uint64_t set = 1ull << (SIGUSR1 - 1) | 1ull << 35;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
    PROBE(rt_sigprocmask, SIG_BLOCK, NULL, room, 8);
    printf("  %d\n", memcmp(room, &set, 8) == 0);
    syscall(SYS_kill, getpid(), SIGUSR1);
    PROBE(rt_sigpending, room, 8);
    printf("  %d\n", room[1] == 2);
    struct { int number, error, code; union { long align; struct { int pid, uid; } from; } u; } *info = (void *)room;
    PROBE(rt_sigtimedwait, &set, room, NULL, 8);
    printf("  %d %d %d %d\n", info->number == SIGUSR1, info->code, info->u.from.pid == getpid(), info->u.from.uid == (int)getuid());
    // A signal with a value.
    unsigned char sent[128] = {0};
    int *head = (void *)sent;
    head[0] = 36; head[2] = -1;
    void **value = (void *)(sent + (sizeof(long) == 8 ? 24 : 20));
    *value = (void *)0x12345678;
    syscall(SYS_rt_sigqueueinfo, getpid(), 36, sent);
    PROBE(rt_sigtimedwait, &set, room, NULL, 8);
    printf("  %d\n", memcmp(room + (sizeof(long) == 8 ? 24 : 20), value, sizeof *value) == 0);
}

static void processes(void) {
    PROBE(getrusage, 0, room);
    PROBE(sysinfo, room);
    PROBE(uname, room);
    PROBE(prlimit64, 0, 7, NULL, room);
    PROBE(getresuid, room, room + 4, room + 8);
    PROBE(sched_getattr, 0, room, 48, 0);
    PROBE(get_robust_list, 0, room, room + 8);
    uint32_t header[2] = {0x20080522, 0};
    PROBE(capget, header, room);
    PROBE(clock_adjtime, 0, memset(room, 0, 4));
    fflush(stdout);
    int child = fork();
    if (child == 0) _exit(5);
    struct { int number, error, code; union { long align; struct { int pid, uid, status; } child; } u; } *info = (void *)room;
    PROBE(waitid, P_PID, child, room, WEXITED, room + 256);
    printf("  %d %d %d %d\n", info->number == SIGCHLD, info->code, info->u.child.pid == child, info->u.child.status);
}

static void files(void) {
    int fd = syscall(SYS_memfd_create, "probe", 0);
    write(fd, "12345", 5);
    PROBE(statx, fd, "", 0x1000, 0x7ff, room);
    struct { uint32_t mask, block; uint64_t attributes; uint32_t links, uid, gid; uint16_t mode, pad; uint64_t inode, size; } *x = (void *)room;
    printf("  %d %o %d\n", (int)x->size, x->mode & 0170777, x->uid == getuid());
    struct { short type, whence; long start, length; int pid; } lock = {F_WRLCK, 0, 2, 3, 0};
    memset(room, 0xa5, sizeof room);
    memcpy(room, &lock, sizeof lock);
#ifdef SYS_fcntl
    printf("fcntl            %ld\n", syscall(SYS_fcntl, fd, 5, room));
#else
    printf("fcntl            %ld\n", syscall(SYS_fcntl64, fd, 5, room));
#endif
    printf("  %d %ld\n", ((short *)room)[0], ((long *)room)[1]);
    struct { void *base; unsigned long length; } vectors[2] = {{"ab", 2}, {"cde", 3}}, back[2] = {{room, 1}, {room + 8, 3}};
    printf("pwritev          %ld\n", syscall(SYS_pwritev, fd, vectors, 2, 1, 0));
    fill();
    printf("preadv           %ld", syscall(SYS_preadv, fd, back, 2, 2, 0));
    printf(" %.1s %.3s\n", room, room + 8);
    close(fd);
    fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    fill();
    long count = syscall(SYS_getdents64, fd, room, sizeof room);
    printf("getdents64       %d %d\n", count > 0, *(uint16_t *)(room + 16) == 24);
    close(fd);
}

static void waiting(void) {
    int pair[2];
    syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
    struct { int fd; short events, found; } set = {pair[0], 1, 0};
    struct time64 now = {0, 0};
    printf("ppoll            %ld\n", syscall(SYS_ppoll, &set, 1, &now, NULL, 8));
    write(pair[1], "x", 1);
    printf("ppoll            %ld", syscall(SYS_ppoll, &set, 1, &now, NULL, 8));
    printf(" %d\n", set.found);
    unsigned long bits[2] = {1ul << pair[0], 0xa5a5};
    printf("pselect6         %ld", syscall(SYS_pselect6, pair[0] + 1, bits, NULL, NULL, &now, NULL));
    printf(" %d %lx\n", bits[0] == 1ul << pair[0], bits[1]);
    int poll = syscall(SYS_epoll_create1, 0);
    struct { uint32_t events; uint64_t data; } event = {1, 0x1122334455667788};
    syscall(SYS_epoll_ctl, poll, 1, pair[0], &event);
    PROBE(epoll_pwait, poll, room, 4, 0, NULL, 8);
    printf("  %d\n", memcmp(room + 8, &event.data, 8) == 0);
    struct { void *base; unsigned long length; } vector = {"y", 1};
    struct { unsigned long length; int level, type, fd; } control = {sizeof(long) + 12, SOL_SOCKET, SCM_RIGHTS, pair[0]};
    struct { void *name; int size; void *vectors; unsigned long count; void *control; unsigned long length; int flags; }
        message = {NULL, 0, &vector, 1, &control, sizeof control, 0};
    printf("sendmsg          %ld\n", syscall(SYS_sendmsg, pair[1], &message, 0));
    unsigned char records[64];
    vector.base = room;
    vector.length = 8;
    message.control = records;
    message.length = sizeof records;
    printf("recvmsg          %ld", syscall(SYS_recvmsg, pair[0], &message, 0));
    printf(" %d %.2s\n", message.length == sizeof control, room);
    int passed;
    memcpy(&passed, records + sizeof(long) + 8, 4);
    printf("  %d\n", fcntl(passed, F_GETFD) >= 0);
    int type, size = 4;
    printf("getsockopt       %ld", syscall(SYS_getsockopt, pair[0], SOL_SOCKET, SO_TYPE, &type, &size));
    printf(" %d %d\n", type, size);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    times();
    signals();
    processes();
    files();
    waiting();
    return 0;
}
