// Calls of the last years, one after the other, each with good arguments and then some bad ones.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long value) {
    printf("%s: %s\n", what, value == -1 && errno ? strerrorname_np(errno) : "ok");
    errno = 0;
}
#define CALL(what, ...) (errno = 0, say(what, syscall(__VA_ARGS__)))

struct how { uint64_t flags, mode, resolve; };

static void opening(void) {
    struct { uint64_t resolve; const char *name, *path; } cases[] = {
        {0, "plain", "/proc/self/exe"}, {4, "no links", "/proc/self/exe"}, {2, "no magic links", "/proc/self/exe"}, {8, "beneath", "/proc/self/exe"},
        {1, "same device", "/proc/self/exe"}, {16, "in root", "/proc/self/exe"}, {4, "no links, maps", "/proc/self/maps"}, {2, "no magic links, maps", "/proc/self/maps"},
        {2, "no magic links, descriptor", "/proc/self/fd/0"}, {8, "beneath absolute", "/etc/passwd"}, {4, "no links, plain", "/etc/passwd"}, {64, "unknown", "/etc/passwd"},
        {8 | 16, "two roots", "/etc/passwd"},
    };
    struct stat s, t;
    stat("/proc/self/exe", &t);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct how how = {O_RDONLY, 0, cases[i].resolve};
        errno = 0;
        int fd = syscall(437, AT_FDCWD, cases[i].path, &how, sizeof how);
        int same = fd >= 0 && fstat(fd, &s) == 0 && s.st_ino == t.st_ino;
        printf("%s: %s %d\n", cases[i].name, fd < 0 ? strerrorname_np(errno) : "ok", same);
        close(fd);
    }
    struct how how = {O_RDONLY, 0, 16};
    int etc = open("/etc", O_PATH), self = open("/proc/self", O_PATH);
    CALL("in a root", 437, etc, "/passwd", &how, sizeof how);
    CALL("maps in a root", 437, self, "/maps", &how, sizeof how);
    how.resolve = 8;
    CALL("maps beneath", 437, self, "maps", &how, sizeof how);
    CALL("up from beneath", 437, self, "../self/maps", &how, sizeof how);
    struct { struct how how; uint64_t more; } longer = {{O_RDONLY, 0, 0}, 0};
    CALL("longer", 437, AT_FDCWD, ".", &longer, sizeof longer);
    longer.more = 1;
    CALL("longer and used", 437, AT_FDCWD, ".", &longer, sizeof longer);
    CALL("shorter", 437, AT_FDCWD, ".", &longer, 8);
    how.resolve = 0;
    how.mode = 0644;
    CALL("mode without creation", 437, AT_FDCWD, ".", &how, sizeof how);
    how.mode = 0;
    how.flags = 1ull << 40;
    CALL("unknown flags", 437, AT_FDCWD, ".", &how, sizeof how);
}

static void processes(void) {
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    int fd = syscall(434, child, 0);
    say("pidfd_open", fd);
    CALL("pidfd_getfd", 438, fd, 1, 0);
    CALL("pidfd_getfd of nothing", 438, fd, 999, 0);
    // struct pidfd_info grows: its first words are a mask and a cgroup, then the process.
    uint64_t information[16] = {1};
    for (int size = 8; size <= 128; size += 8) {
        information[0] = 3;
        errno = 0;
        long result = ioctl(fd, 0xc000ff0b | size << 16, information);
        printf("information of %d bytes: %s %d\n", size, result < 0 ? strerrorname_np(errno) : "ok", result == 0 && size >= 64 && (pid_t)information[2] == child);
    }
    struct pollfd waiting = {fd, POLLIN, 0};
    printf("poll %d\n", poll(&waiting, 1, 0));
    CALL("pidfd_send_signal", 424, fd, SIGTERM, 0, 0);
    siginfo_t end;
    memset(&end, 0, sizeof end);
    say("waitid", waitid(P_PIDFD, fd, &end, WEXITED));
    printf("%d %d\n", end.si_status, end.si_pid == child);
    say("namespace", ioctl(syscall(434, getpid(), 0), 0xff02, 0));
    close(fd);
}

static void files(void) {
    char buffer[4096] = "";
    int from = memfd_create("from", 0), to = memfd_create("to", 0);
    if (ftruncate(from, 100000)) return;
    say("copy_file_range", copy_file_range(from, NULL, to, NULL, 50000, 0));
    struct iovec part = {buffer, 100};
    say("preadv2 without waiting", preadv2(to, &part, 1, 0, RWF_NOWAIT));
    say("pwritev2 at the end", pwritev2(to, &part, 1, 0, RWF_APPEND));
    say("preadv2 unknown", preadv2(to, &part, 1, 0, 0x8000));
    say("preadv2 here", preadv2(to, &part, 1, -1, 0));
    say("hole", fallocate(to, 3, 0, 4096));
    say("collapse", fallocate(to, 8, 0, 4096));
    uint64_t range[2] = {0, 0};
    CALL("cachestat", 451, to, range, buffer, 0);
    CALL("fchmodat2", 452, AT_FDCWD, "/nonexistent", 0, AT_SYMLINK_NOFOLLOW);
    CALL("fchmodat2 of a descriptor", 452, to, "", 0600, AT_EMPTY_PATH);
    CALL("faccessat2 of a descriptor", 439, to, "", 4, AT_EMPTY_PATH);
    struct { unsigned size; int type; char data[128]; } handle = {0};
    int mount;
    CALL("name_to_handle_at without room", SYS_name_to_handle_at, AT_FDCWD, "/proc", &handle, &mount, 0);
    CALL("statx of a descriptor", SYS_statx, to, "", AT_EMPTY_PATH, 0x7ff, buffer);
    CALL("statx without a name", SYS_statx, to, NULL, AT_EMPTY_PATH, 0x7ff, buffer);
    CALL("statx of too much", SYS_statx, to, "", AT_EMPTY_PATH, 1u << 31, buffer);
}

static void events(void) {
    int poll = epoll_create1(0), event = eventfd(1, EFD_SEMAPHORE);
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u64 = 0x1122334455667788}, got = {0};
    struct timespec time = {0, 1000};
    say("exclusive", epoll_ctl(poll, EPOLL_CTL_ADD, event, &wanted));
    say("changed", epoll_ctl(poll, EPOLL_CTL_MOD, event, &wanted));
    CALL("epoll_pwait2", 441, poll, &got, 1, &time, NULL, 8);
    printf("%llx\n", (unsigned long long)got.data.u64);
    say("itself", epoll_ctl(poll, EPOLL_CTL_ADD, poll, &wanted));
    say("no events", epoll_wait(poll, &got, 0, 0));
    say("nowhere", syscall(SYS_epoll_pwait, poll, 8, 1, 0, NULL, 8));
    int timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
    struct itimerspec often = {{0, 100000}, {0, 100000}};
    say("timer", timerfd_settime(timer, 0, &often, NULL));
    usleep(2000);
    uint64_t count = 0;
    say("timer's count", read(timer, &count, 8));
    printf("%d\n", count > 2);
    uint64_t most = -1;
    say("too much", write(eventfd(0, EFD_NONBLOCK), &most, 8));
    CALL("barriers", SYS_membarrier, 0, 0, 0);
    CALL("barrier register", SYS_membarrier, 16, 0, 0);
    CALL("barrier", SYS_membarrier, 8, 0, 0);
    CALL("close_range unknown", 436, 3, 4, 8);
    CALL("close_range backwards", 436, 4, 3, 0);
}

static void scheduling(void) {
    struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t times[3]; uint32_t low, high; } now = {0};
    CALL("sched_getattr", SYS_sched_getattr, 0, &now, sizeof now, 0);
    CALL("sched_setattr", SYS_sched_setattr, 0, &now, 0);
    now.size = 0;
    CALL("sched_setattr of no size", SYS_sched_setattr, 0, &now, 0);
    now.size = 8;
    CALL("sched_setattr too short", SYS_sched_setattr, 0, &now, 0);
    printf("%u\n", now.size);
    now.size = 100000;
    CALL("sched_setattr too long", SYS_sched_setattr, 0, &now, 0);
    printf("%u\n", now.size);
    CALL("sched_setattr flags", SYS_sched_setattr, 0, &now, 1);
    CALL("sched_setattr of nobody", SYS_sched_setattr, -1, &now, 0);
    CALL("sched_setattr of nothing", SYS_sched_setattr, 0, NULL, 0);
    CALL("affinity in a byte", SYS_sched_getaffinity, 0, 1, &now);
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    CALL("msync", SYS_msync, page, 4096, MS_SYNC);
    CALL("msync of a hole", SYS_msync, page, 8192, MS_ASYNC);
    CALL("msync both", SYS_msync, page, 4096, MS_SYNC | MS_ASYNC);
    CALL("msync unknown", SYS_msync, page, 4096, 64);
    CALL("msync misaligned", SYS_msync, page + 1, 4096, MS_SYNC);
    CALL("msync of nothing", SYS_msync, page, 0, MS_SYNC);
    CALL("msync of all", SYS_msync, page, -1L, MS_SYNC);
}

static uint32_t words[2];
static void *wakes(void *argument) {
    for (int i = 0; i < 2000 && syscall(SYS_futex, &words[1], 1 | 128, 1, 0, 0, 0) == 0; i++) usleep(1000);
    return 0;
}

// futex_waitv and the calls that go with it.
static void futexes(void) {
    struct { uint64_t value, word; uint32_t flags, zero; } waits[2] = {{0, (uintptr_t)&words[0], 2 | 128, 0}, {0, (uintptr_t)&words[1], 2 | 128, 0}};
    pthread_t thread;
    pthread_create(&thread, NULL, wakes, NULL);
    long woken = syscall(449, waits, 2, 0, 0, 0);
    printf("futex_waitv: %ld\n", woken);
    pthread_join(thread, NULL);
    struct timespec past = {0, 1};
    CALL("a past time", 449, waits, 2, 0, &past, CLOCK_MONOTONIC);
    words[0] = 1;
    CALL("another value", 449, waits, 2, 0, 0, 0);
    waits[1].zero = 1;
    CALL("a word that is not zero", 449, waits, 2, 0, 0, 0);
    waits[1].zero = 0;
    waits[1].word = 8;
    words[0] = 0;
    CALL("nothing there", 449, waits, 2, 0, 0, 0);
    CALL("futex_wake", 454, &words[0], 0xffffffffull, 1, 2 | 128);
    CALL("futex_wait", 455, &words[0], 1, 0xffffffffull, 2 | 128, 0, 0);
    waits[1].word = (uintptr_t)&words[1];
    CALL("futex_requeue", 456, waits, 0, 1, 1);
}

// Keys, and where memory lies.
static void keysAndPolicies(void) {
    char text[100] = "";
    long ring = syscall(SYS_keyctl, 1, "ours"), key = syscall(SYS_add_key, "user", "name", "contents", 8, ring);
    say("a session's keyring", ring);
    say("add_key", key);
    printf("read: %ld", syscall(SYS_keyctl, 11, key, text, sizeof text));
    printf(" %s\n", text);
    printf("found: %d\n", syscall(SYS_keyctl, 10, ring, "user", "name", 0) == key && syscall(SYS_request_key, "user", "name", 0, 0) == key);
    CALL("update", SYS_keyctl, 2, key, "other", 5);
    printf("read again: %ld", syscall(SYS_keyctl, 11, key, text, 3));
    printf(" %s\n", text);
    CALL("describe", SYS_keyctl, 6, key, text, sizeof text);
    printf("%s\n", strncmp(text, "user;", 5) == 0 && strstr(text, ";name") ? "user, name" : text);
    struct iovec parts[2] = {{"a", 1}, {"bc", 2}};
    CALL("instantiate", SYS_keyctl, 20, key, parts, 2, ring);
    CALL("revoke", SYS_keyctl, 3, key);
    CALL("read what is revoked", SYS_keyctl, 11, key, text, sizeof text);
    CALL("add_key of no kind", SYS_add_key, "nothing", "name", "contents", 8, ring);
    CALL("capabilities", SYS_keyctl, 31, text, 8);

    int mode = -1;
    unsigned long nodes[16] = {0};
    char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CALL("get_mempolicy", SYS_get_mempolicy, &mode, nodes, 1024, 0, 0);
    printf("mode %d, nodes %lx\n", mode, nodes[0]);
    nodes[0] = 1;
    CALL("mbind", SYS_mbind, memory, 8192, 2, nodes, 1024, 0);
    CALL("get_mempolicy of an address", SYS_get_mempolicy, &mode, nodes, 1024, memory, 2);
    printf("mode %d, nodes %lx\n", mode, nodes[0]);
    CALL("set_mempolicy", SYS_set_mempolicy, 1, nodes, 1024);
    CALL("set_mempolicy_home_node", 450, memory, 4096, 0, 0);
    memory[0] = 1;
    void *pages[3] = {memory, memory + 4096, (void *)8};
    int status[3] = {9, 9, 9};
    CALL("move_pages", SYS_move_pages, 0, 3, pages, 0, status, 0);
    printf("%d %d %d\n", status[0], status[1], status[2]);
    CALL("migrate_pages", SYS_migrate_pages, 0, 1024, nodes, nodes);
    struct iovec range = {memory, 8192};
    int self = syscall(434, getpid(), 0);
    CALL("process_madvise", 440, self, &range, 1, 20, 0);
    CALL("process_madvise, unknown", 440, self, &range, 1, 99, 0);
}

// What only the kernel's lists say.
static void lists(void) {
    uint64_t list[64] = {0};
    uint32_t size = sizeof list;
    CALL("lsm_list_modules", 461, list, &size, 0);
    printf("%u bytes, first %lx\n", size, (long)list[0]);
    size = 0;
    CALL("no room", 461, list, &size, 0);
    struct { uint32_t size, zero; uint64_t mount, last; } request = {24, 0, ~0ull, 0};
    printf("listmount: %d\n", syscall(458, &request, list, 64, 0) > 0);
    request.mount = list[0];
    request.last = 1;
    char about[4096];
    CALL("statmount", 457, &request, about, sizeof about, 0);
    CALL("statmount of nothing", 457, &request, 0, 0, 0);
    int secret = syscall(447, 0);
    say("memfd_secret", secret);
    if (ftruncate(secret, 4096) == 0) {
        char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, secret, 0);
        if (memory != MAP_FAILED) strcpy(memory, "secret");
        printf("%s\n", memory == MAP_FAILED ? strerrorname_np(errno) : memory);
        if (memory != MAP_FAILED) CALL("written to a pipe", SYS_write, 1, memory, 7);
    }
    struct { uint32_t type, size; uint64_t config, rest[14]; } event = {1, 128, 0};  // the software clock
    int counter = syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
    say("perf_event_open", counter);
    uint64_t count = 0;
    for (volatile int i = 0; i < 100000; i++) {}
    printf("%d\n", counter < 0 || (read(counter, &count, 8) == 8 && count > 0));
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 1 << 12);
    opening();
    processes();
    files();
    events();
    scheduling();
    futexes();
    keysAndPolicies();
    lists();
    return 0;
}
