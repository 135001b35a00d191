// SIGSEGV and SIGBUS that a process sends are signals like others: they end a child that has just been forked, can be blocked, wait, be
// waited for and be read, go to a thread that does not block them, and keep what their sender said. SA_RESETHAND keeps mask and flags.
// oracle: none. qemu-user loses them; the native kernel says this.
// guests: riscv32
#define _GNU_SOURCE
#include "calls.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int count, lastSignal, lastCode;
static volatile void *lastAddress;
static volatile pid_t lastThread;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)context;
    lastSignal = signal;
    lastCode = info->si_code;
    lastAddress = info->si_addr;
    lastThread = syscall(SYS_gettid);
    count++;  // Another thread waits for it.
}

static void handle(int signal, int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(signal, &action, NULL);
}

static void block(int how, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(how, &set, NULL);
}

static int is_pending(int signal) {
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signal);
}

// The call itself: a C library may rewrite what it says of the sender.
static int wait_for(const sigset_t *set, siginfo_t *info) {
    const int64_t none[2] = {0, 0};
    return syscall(SYS_rt_sigtimedwait, set, info, none, 8);
}

static void newborn(int signal, int microseconds) {
    int died = 0, all = 12;
    for (int i = 0; i < all; i++) {
        pid_t child = fork();
        if (child == 0)
            for (;;) pause();
        if (microseconds) usleep(microseconds);
        kill(child, signal);
        int status = 0;
        for (int tries = 0; tries < 2000 && waitpid(child, &status, WNOHANG) == 0; tries++) usleep(1000);
        if (WIFSIGNALED(status) && WTERMSIG(status) == signal) {
            died++;
        } else {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
        }
    }
    printf("newborn, signal %d: %d of %d died of it\n", signal, died, all);
}

static void waiting(int signal) {
    handle(signal, 0);
    block(SIG_BLOCK, signal);
    count = 0;
    kill(getpid(), signal);
    kill(getpid(), signal);
    printf("blocked: handled %d, pending %d\n", count, is_pending(signal));
    // Memory faults of the guest's own go on meanwhile, inside the kernel and outside.
    char *memory = calloc(1, 1 << 20);
    for (int i = 0; i < 1 << 20; i += 4096) memory[i] = 1;
    free(memory);
    block(SIG_UNBLOCK, signal);
    printf("unblocked: handled %d, pending %d, SI_USER %d\n", count, is_pending(signal), lastCode == SI_USER);

    block(SIG_BLOCK, signal);
    raise(signal);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    siginfo_t info;
    int got = wait_for(&set, &info);
    printf("waited for: %d, SI_TKILL %d, pending %d\n", got == signal, info.si_code == SI_TKILL, is_pending(signal));
    got = wait_for(&set, &info);
    printf("waited again: %d, EAGAIN %d\n", got, errno == EAGAIN);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        usleep(20000);
        union sigval value = {.sival_int = 4711};
        sigqueue(parent, signal, value);
        _exit(0);
    }
    got = sigwaitinfo(&set, &info);
    printf("waiting: %d, SI_QUEUE %d, value %d\n", got == signal, info.si_code == SI_QUEUE, info.si_value.sival_int);
    waitpid(child, NULL, 0);

    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo read_info;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    printf("signalfd, none: poll %d, read %d\n", poll(&poll_fd, 1, 0), (int)read(fd, &read_info, sizeof read_info));
    kill(getpid(), signal);
    int ready = poll(&poll_fd, 1, 0);
    int size = read(fd, &read_info, sizeof read_info);
    printf("signalfd: poll %d, read %d, right %d, pending %d\n", ready, size == sizeof read_info,
           read_info.ssi_signo == (unsigned)signal && read_info.ssi_pid == (unsigned)getpid(), is_pending(signal));
    child = fork();
    if (child == 0) {
        usleep(20000);
        kill(parent, signal);
        _exit(0);
    }
    ready = poll(&poll_fd, 1, 5000);
    size = read(fd, &read_info, sizeof read_info);
    printf("signalfd, later: poll %d, read %d\n", ready, size == sizeof read_info);
    waitpid(child, NULL, 0);
    close(fd);

    sigset_t open;
    sigemptyset(&open);
    count = 0;
    kill(getpid(), signal);
    int result = sigsuspend(&open);
    printf("sigsuspend: %d, EINTR %d, handled %d\n", result, errno == EINTR, count);
    kill(getpid(), signal);
    result = ppoll(NULL, 0, NULL, &open);
    printf("ppoll: %d, EINTR %d, handled %d\n", result, errno == EINTR, count);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    kill(getpid(), signal);
    sigaction(signal, &ignore, NULL);
    printf("ignored: pending %d\n", is_pending(signal));
    block(SIG_UNBLOCK, signal);
    kill(getpid(), signal);
    handle(signal, 0);
    printf("after: handled %d\n", count);
}

static volatile int stop;
static volatile pid_t open_thread;

static void *opens(void *argument) {
    block(SIG_UNBLOCK, *(int *)argument);
    open_thread = syscall(SYS_gettid);
    while (!stop) usleep(500);
    return NULL;
}

static void *waits(void *argument) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, *(int *)argument);
    siginfo_t info;
    open_thread = 1;
    return (void *)(long)sigwaitinfo(&set, &info);
}

static void threads(int signal) {
    block(SIG_BLOCK, signal);
    pthread_t thread;
    count = 0;
    pthread_create(&thread, NULL, opens, &signal);
    while (!open_thread) usleep(100);
    kill(getpid(), signal);
    for (int i = 0; i < 2000 && count == 0; i++) usleep(1000);
    printf("process's signal: handled %d, by the thread that does not block it %d\n", count, lastThread == open_thread);
    pthread_kill(pthread_self(), signal);
    usleep(2000);
    printf("thread's signal: handled %d, pending %d\n", count, is_pending(signal));
    stop = 1;
    pthread_join(thread, NULL);
    block(SIG_UNBLOCK, signal);
    printf("then: handled %d, here %d\n", count, lastThread == getpid());
    block(SIG_BLOCK, signal);
    open_thread = 0;
    pthread_create(&thread, NULL, waits, &signal);
    while (!open_thread) usleep(100);
    usleep(5000);
    kill(getpid(), signal);
    void *got;
    pthread_join(thread, &got);
    printf("awaited in a thread: %d\n", (int)(long)got == signal);
    block(SIG_UNBLOCK, signal);
}

// A program that sends itself the fault that it has just had, as crash reporters do.
static void sent_again(int signal) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signal;
    info.si_code = SEGV_ACCERR;
    info.si_addr = (void *)0x1234000;
    count = 0;
    int result = syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, &info);
    printf("sent again: %d, handled %d, code %d, address %p\n", result, count, lastCode, lastAddress);
}

static void reset(int signal) {
    handle(signal, SA_RESETHAND | SA_RESTART);
    raise(signal);
    struct sigaction action;
    sigaction(signal, NULL, &action);
    printf("reset: default %d, SA_RESETHAND %d, SA_RESTART %d, SIGUSR2 in the mask %d\n", action.sa_handler == SIG_DFL,
           (action.sa_flags & (int)SA_RESETHAND) != 0, (action.sa_flags & SA_RESTART) != 0,
           sigismember(&action.sa_mask, SIGUSR2));
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    newborn(SIGSEGV, 0);
    newborn(SIGBUS, 300);
    waiting(SIGSEGV);
    waiting(SIGBUS);
    threads(SIGBUS);
    sent_again(SIGSEGV);
    reset(SIGSEGV);
    reset(SIGUSR1);
    return 0;
}
