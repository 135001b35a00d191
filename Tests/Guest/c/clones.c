// clone(2) and clone3(2) of processes: every flag does what it says, or fails as the kernel says: exit signals, parents, what is shared,
// namespaces (where they are allowed), memory shared by processes that run side by side.
// oracle: none. qemu-user refuses most flags; the native kernel says this.
// guests: riscv32
#define _GNU_SOURCE
#include "errors.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

static long clone_flags(unsigned long flags) { return syscall(SYS_clone, flags, 0, 0, 0, 0); }

struct arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup, more;
};

static long clone_structure(struct arguments *arguments, size_t size) { return syscall(SYS_clone3, arguments, size); }

static int status_of(pid_t pid, int options) {
    int status = -1;
    if (waitpid(pid, &status, options) != pid) return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static volatile sig_atomic_t got;
static void handler(int signal) { got = signal; }

static void refused(void) {
    struct {
        const char *name;
        unsigned long flags;
    } legacy[] = {
        {"SIGHAND without VM", CLONE_SIGHAND | SIGCHLD},
        {"THREAD without SIGHAND", CLONE_THREAD | CLONE_VM | SIGCHLD},
        {"NEWNS with FS", CLONE_NEWNS | CLONE_FS | SIGCHLD},
        {"NEWUSER with FS", CLONE_NEWUSER | CLONE_FS | SIGCHLD},
        {"NEWPID of a thread", CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM},
        {"PIDFD at PARENT_SETTID's place", CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD},
    };
    for (unsigned i = 0; i < sizeof legacy / sizeof *legacy; i++) {
        long result = clone_flags(legacy[i].flags);
        if (result == 0) _exit(0);
        printf("%s: %s\n", legacy[i].name, result < 0 ? error_name(errno) : "ok");
    }
    struct {
        const char *name;
        struct arguments arguments;
        size_t size;
    } extended[] = {
        {"too small", {.exit_signal = SIGCHLD}, 56},
        {"something behind", {.exit_signal = SIGCHLD, .more = 1}, 96},
        {"exit signal 65", {.exit_signal = 65}, 88},
        {"a signal in the flags", {.flags = SIGCHLD}, 88},
        {"stack without a size", {.exit_signal = SIGCHLD, .stack = 4096}, 88},
        {"ids without an array", {.exit_signal = SIGCHLD, .set_tid_size = 1}, 88},
        {"PARENT with an exit signal", {.flags = CLONE_PARENT, .exit_signal = SIGCHLD}, 88},
        {"SIGHAND with CLEAR_SIGHAND", {.flags = CLONE_VM | CLONE_SIGHAND | CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD}, 88},
        {"an unknown flag", {.flags = 1ULL << 40, .exit_signal = SIGCHLD}, 88},
        {"INTO_CGROUP of nothing", {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = 999999}, 88},
    };
    for (unsigned i = 0; i < sizeof extended / sizeof *extended; i++) {
        long result = clone_structure(&extended[i].arguments, extended[i].size);
        if (result == 0) _exit(0);
        printf("%s: %s\n", extended[i].name, result < 0 ? error_name(errno) : "ok");
    }
}

static void ends(void) {
    signal(SIGUSR2, handler);
    signal(SIGCHLD, handler);
    int signals[] = {SIGUSR2, 0, SIGCHLD};
    for (int i = 0; i < 3; i++) {
        got = 0;
        long child = clone_flags(signals[i]);
        if (child == 0) _exit(20 + i);
        int plain = status_of(child, 0);
        int status = plain < 0 ? status_of(child, __WCLONE) : plain;
        printf("exit signal %d: wait %s, status %d, came %d\n", signals[i], plain < 0 ? error_name(-plain) : "ok", status, got);
    }
    signal(SIGCHLD, SIG_DFL);
    int fds[2];
    if (pipe(fds)) return;
    long child = clone_flags(SIGCHLD);
    if (child == 0) {
        pid_t parent = getppid();
        long sibling = clone_flags(CLONE_PARENT | SIGCHLD);
        if (sibling == 0) {
            char right = getppid() == parent;
            if (write(fds[1], &right, 1) != 1) _exit(1);
            _exit(6);
        }
        _exit(waitpid(sibling, NULL, __WALL) < 0 && errno == ECHILD ? 7 : 8);
    }
    int status = status_of(child, 0);
    char right = -1;
    if (read(fds[0], &right, 1) != 1) return;
    int other;
    wait(&other);
    printf("PARENT: caller %d, its parent ours %d, ours to wait for %d\n", status, right, WEXITSTATUS(other));
}

static void shares(void) {
    long child = clone_flags(CLONE_FILES | SIGCHLD);
    if (child == 0) _exit(dup2(1, 50) != 50);
    int status = status_of(child, 0);
    printf("FILES: %d, seen %d\n", status, fcntl(50, F_GETFD) >= 0);
    close(50);
    mode_t mask = umask(022);
    child = clone_flags(CLONE_FS | SIGCHLD);
    if (child == 0) _exit(umask(077) != 022);
    status = status_of(child, 0);
    printf("FS: %d, seen %d\n", status, umask(mask) == 077);

    struct arguments arguments = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, .exit_signal = SIGCHLD};
    int pidfd = -1;
    pid_t here = 0;
    static pid_t there;
    arguments.pidfd = (uintptr_t)&pidfd;
    arguments.parent_tid = (uintptr_t)&here;
    arguments.child_tid = (uintptr_t)&there;
    child = clone_structure(&arguments, 88);
    if (child == 0) _exit(there == getpid() ? 3 : 4);
    siginfo_t info;
    int waited = waitid(P_PIDFD, pidfd, &info, WEXITED);
    printf("clone3: id %d, not here %d, pidfd %d, status %d\n", here == child, there == 0, waited == 0 && info.si_pid == child,
           info.si_status);

    signal(SIGUSR1, handler);
    signal(SIGHUP, SIG_IGN);
    struct arguments clear = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    child = clone_structure(&clear, 88);
    if (child == 0) {
        struct sigaction caught, ignored;
        sigaction(SIGUSR1, NULL, &caught);
        sigaction(SIGHUP, NULL, &ignored);
        if (caught.sa_handler != SIG_DFL || ignored.sa_handler != SIG_IGN) _exit(5);
        kill(getpid(), SIGUSR1);  // raise(3) may know its caller's id by heart
        _exit(6);
    }
    printf("CLEAR_SIGHAND: %d\n", status_of(child, 0) - 1000 == SIGUSR1);

    int wait_pipe[2];
    char byte = 0;
    if (pipe(wait_pipe)) return;
    child = clone_flags(CLONE_VFORK | SIGCHLD);
    if (child == 0) {
        usleep(20000);
        _exit(write(wait_pipe[1], "x", 1) != 1);
    }
    fcntl(wait_pipe[0], F_SETFL, O_NONBLOCK);
    printf("VFORK alone: ended before %d, status %d\n", read(wait_pipe[0], &byte, 1) == 1, status_of(child, 0));
}

// Where namespaces are not allowed the kernel says so.
static void namespaces(void) {
    long child = clone_flags(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | SIGCHLD);
    if (child == 0) _exit(getpid() == 1 && getppid() == 0 ? 0 : 1);
    if (child < 0) {
        printf("namespaces: %d\n", errno == EPERM || errno == ENOSPC || errno == EUSERS ? 0 : 2);
        return;
    }
    printf("namespaces: %d\n", status_of(child, 0));
}

static volatile int shared, round_trip;

static int beside(void *argument) {
    shared = *(int *)argument;
    // Runs at the same time as its parent, in the same memory.
    for (long i = 0; i < 20000000 && round_trip == 0; i++)
        if (i % 1000 == 0) sched_yield();
    char *memory = malloc(100000);
    memset(memory, 1, 100000);
    free(memory);
    return round_trip == 1 && getppid() > 0 && syscall(SYS_gettid) == getpid() ? 7 : 8;
}

static int counts(void *argument) {
    unsigned sum = 0;
    for (unsigned i = 0; i < 3000000; i++) sum = sum * 31 + (i ^ (i >> 5));
    *(unsigned *)argument = sum;
    return 3;
}

static int sets(void *argument) {
    signal(SIGUSR1, SIG_IGN);
    return *(int *)argument;
}

static int sleeps(void *argument) {
    while (*(volatile int *)argument == 0) pause();
    return 0;
}

static int spins(void *argument) {
    volatile int *word = argument;
    *word = 1;
    while (*word) __asm__ volatile("" ::: "memory");
    return 0;
}

static int handles(void *argument) {
    signal(SIGUSR2, handler);
    *(volatile int *)argument = 1;
    while (got != SIGUSR2) usleep(500);
    return 12;
}

static int executes(void *argument) {
    (void)argument;
    execl("/proc/self/exe", "clones", "executed", NULL);
    return 1;
}

static char *stack_of(void) {
    char *stack = mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return stack + (1 << 18);
}

static void memory(void) {
    int value = 42;
    pid_t child = clone(beside, stack_of(), CLONE_VM | SIGCHLD, &value);
    for (int i = 0; i < 5000 && shared == 0; i++) usleep(200);
    int seen = shared;
    round_trip = 1;
    printf("VM: seen %d, status %d\n", seen, status_of(child, 0));

    unsigned sums[3] = {0, 0, 0};
    pid_t children[2];
    for (int i = 0; i < 2; i++) children[i] = clone(counts, stack_of(), CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, &sums[i]);
    counts(&sums[2]);
    printf("VM, three at once: %d %d", status_of(children[0], 0), status_of(children[1], 0));
    printf(", same %d\n", sums[0] == sums[2] && sums[1] == sums[2]);

    signal(SIGUSR1, handler);
    value = 5;
    child = clone(sets, stack_of(), CLONE_VM | SIGCHLD, &value);
    int status = status_of(child, 0);
    got = 0;
    raise(SIGUSR1);
    printf("VM: status %d, our handler stays %d\n", status, got == SIGUSR1);
    child = clone(sets, stack_of(), CLONE_VM | CLONE_SIGHAND | SIGCHLD, &value);
    status = status_of(child, 0);
    got = 0;
    raise(SIGUSR1);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    printf("VM, SIGHAND: status %d, handled %d, ignored %d\n", status, got, action.sa_handler == SIG_IGN);

    volatile int ends = 0;
    child = clone(sleeps, stack_of(), CLONE_VM | SIGCHLD, (void *)&ends);
    kill(child, SIGTERM);
    printf("VM, SIGTERM: %d\n", status_of(child, 0) - 1000 == SIGTERM);
    volatile int started = 0;
    child = clone(spins, stack_of(), CLONE_VM | SIGCHLD, (void *)&started);
    while (!started) usleep(200);
    kill(child, SIGALRM);
    printf("VM, SIGALRM in a loop: %d\n", status_of(child, 0) - 1000 == SIGALRM);
    got = 0;
    started = 0;
    child = clone(handles, stack_of(), CLONE_VM | SIGUSR1, (void *)&started);
    while (!started) usleep(200);
    kill(child, SIGUSR2);
    printf("VM, handler: %d\n", status_of(child, __WCLONE));

#ifdef __GLIBC__  // musl's clone(2) refuses CLONE_CHILD_CLEARTID
    pid_t id = 0;
    static pid_t cleared = 1;
    child = clone(counts, stack_of(), CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, &sums[0], &id, NULL, &cleared);
    printf("VM, ids: %d", id == child);
    status = status_of(child, 0);
    printf(", status %d, cleared %d\n", status, cleared == 0);
#endif
    fflush(stdout);
    child = clone(executes, stack_of(), CLONE_VM | SIGCHLD, NULL);
    printf("VM, executes: %d\n", status_of(child, 0));
}


// Other threads go on while one makes a child with flags, and the child has a memory allocator.
static volatile int stop;
static void *allocates(void *argument) {
    while (!stop) free(malloc((size_t)rand() % 5000));
    return argument;
}

static void among_threads(void) {
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, allocates, NULL);
    int right = 0;
    for (int i = 0; i < 20; i++) {
        long child = clone_flags(CLONE_FS | SIGCHLD);
        if (child == 0) {
#ifdef __GLIBC__  // musl's allocator has one lock, which another thread may hold: only fork(3) waits for it
            for (int j = 0; j < 50; j++) free(malloc(100 * j));
#endif
            _exit(9);
        }
        right += status_of(child, 0) == 9;
    }
    stop = 1;
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    printf("among threads: %d\n", right);
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) {
        printf("executed\n");
        return 11;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    refused();
    ends();
    shares();
    namespaces();
    memory();
    among_threads();
    return 0;
}
