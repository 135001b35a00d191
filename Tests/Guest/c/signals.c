// Signal delivery by the rules: masks, pending signals, nesting, SA_NODEFER and SA_RESETHAND, the alternate stack,
// queued values, sigsuspend, sigwait, interrupted and restarted calls, SIGCHLD's fields, ignored signals.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int depth, deepest, count, value, child_code, child_status;
static volatile pid_t child_pid;
static volatile uintptr_t stack_at;
static void plain(int n) { (void)n; count++; }
static void nested(int n) {
    depth++;
    if (depth > deepest) deepest = depth;
    if (depth < 5) raise(n);
    depth--;
}
static void outer(int n) { (void)n; depth++; raise(SIGUSR2); count += depth * 100; depth--; }
static void inner(int n) { (void)n; depth++; if (depth > deepest) deepest = depth; count++; depth--; }
static void on_stack(int n) { (void)n; volatile char here; stack_at = (uintptr_t)&here; }
static void queued(int n, siginfo_t *info, void *context) { (void)n; (void)context; value = value * 10 + info->si_value.sival_int; }
static void child(int n, siginfo_t *info, void *context) {
    (void)n; (void)context;
    child_pid = info->si_pid; child_code = info->si_code; child_status = info->si_status; count++;
}
static void install(int n, void (*f)(int), int flags) {
    struct sigaction action = {.sa_handler = f, .sa_flags = flags};
    sigaction(n, &action, NULL);
}

int main(void) {
    sigset_t set, old, pending;
    install(SIGUSR1, plain, 0);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    printf("delivered %d\n", count);

    sigemptyset(&set); sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1); raise(SIGUSR1);
    sigpending(&pending);
    printf("blocked %d pending %d\n", count, sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("unblocked %d\n", count);

    install(SIGUSR1, nested, SA_NODEFER);
    raise(SIGUSR1);
    printf("nodefer depth %d\n", deepest);
    deepest = depth = count = 0;
    install(SIGUSR1, outer, 0); install(SIGUSR2, inner, 0);
    raise(SIGUSR1);
    printf("nested depth %d count %d\n", deepest, count);

    count = 0;
    install(SIGUSR1, plain, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    printf("resethand %d default %d\n", count, now.sa_handler == SIG_DFL);

    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536}, was;
    sigaltstack(&stack, NULL);
    install(SIGUSR1, on_stack, SA_ONSTACK);
    raise(SIGUSR1);
    printf("altstack %d\n", stack_at - (uintptr_t)stack.ss_sp < 65536);
    install(SIGUSR1, on_stack, 0);
    raise(SIGUSR1);
    sigaltstack(NULL, &was);
    printf("main stack %d, set %d size %zu\n", stack_at - (uintptr_t)stack.ss_sp >= 65536, was.ss_sp == stack.ss_sp, was.ss_size);

    struct sigaction action = {.sa_sigaction = queued, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN + 1, &action, NULL);
    sigemptyset(&set); sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 1; i <= 5; i++) sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("queued %d\n", value);

    sigprocmask(SIG_BLOCK, &set, NULL);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 77});
    siginfo_t info;
    int got = sigwaitinfo(&set, &info);
    printf("sigwait %d value %d\n", got == SIGRTMIN + 1, info.si_value.sival_int);
    struct timespec zero = {0, 1000000};
    got = sigtimedwait(&set, NULL, &zero);
    printf("timed out %d %s\n", got, strerror(errno));

    count = 0;
    action = (struct sigaction){.sa_sigaction = child, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    sigemptyset(&set); sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &old);
    pid_t pid = fork();
    if (pid == 0) _exit(7);
    while (!count) sigsuspend(&old);
    int status;
    printf("sigchld pid %d code %d status %d, wait %d\n", child_pid == pid, child_code == CLD_EXITED, child_status, waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
    count = 0;
    if ((pid = fork()) == 0) { signal(SIGTERM, SIG_DFL); raise(SIGTERM); _exit(1); }
    while (!count) sigsuspend(&old);
    waitpid(pid, &status, 0);
    printf("killed code %d status %d wait %d\n", child_code == CLD_KILLED, child_status == SIGTERM, WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    sigprocmask(SIG_SETMASK, &old, NULL);

    int pipes[2];
    char byte;
    if (pipe(pipes)) return 1;
    struct itimerval once = {{0, 0}, {0, 20000}};
    install(SIGALRM, plain, 0);
    setitimer(ITIMER_REAL, &once, NULL);
    errno = 0;
    long n = read(pipes[0], &byte, 1);
    printf("interrupted %ld %s\n", n, strerror(errno));
    install(SIGALRM, plain, SA_RESTART);
    signal(SIGCHLD, SIG_DFL);
    setitimer(ITIMER_REAL, &once, NULL);
    if ((pid = fork()) == 0) { usleep(80000); _exit(write(pipes[1], "x", 1) != 1); }
    n = read(pipes[0], &byte, 1);
    printf("restarted %ld %c\n", n, byte);
    waitpid(pid, NULL, 0);
    errno = 0;
    setitimer(ITIMER_REAL, &once, NULL);
    n = usleep(1000000);
    printf("sleep %ld %s\n", n, strerror(errno));

    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    close(pipes[0]);
    errno = 0;
    n = write(pipes[1], "x", 1);
    printf("ignored, write %ld %s\n", n, strerror(errno));
    return 0;
}
