// What execve(2) leaves as it is: the mask, the signals that are ignored and those that wait, of SIGSEGV and SIGBUS too.
// oracle: none. qemu-user does not keep the latter; the native kernel says this.
// guests: riscv32
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int count;
static void handler(int signal) { count += signal; }

static void block(int how, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(how, &set, NULL);
}

static int executed(void) {
    static const int all[] = {SIGSEGV, SIGBUS, SIGHUP, SIGTERM};
    sigset_t mask, pending;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigpending(&pending);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct sigaction action;
        sigaction(all[i], NULL, &action);
        printf("signal %d: blocked %d, pending %d, ignored %d\n", all[i], sigismember(&mask, all[i]),
               sigismember(&pending, all[i]), action.sa_handler == SIG_IGN);
    }
    kill(getpid(), SIGBUS);
    kill(getpid(), SIGTERM);
    signal(SIGSEGV, handler);
    signal(SIGHUP, handler);
    block(SIG_UNBLOCK, SIGSEGV);
    printf("handled %d\n", count);
    block(SIG_UNBLOCK, SIGHUP);
    printf("handled %d\n", count);
    fflush(stdout);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return 1;
}

int main(int argc, char **argv) {
    if (argc > 1) return executed();
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGBUS, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        block(SIG_BLOCK, SIGSEGV);
        block(SIG_BLOCK, SIGHUP);
        raise(SIGSEGV);
        kill(getpid(), SIGHUP);
        execl("/proc/self/exe", argv[0], "executed", NULL);
        _exit(2);
    }
    int status;
    waitpid(child, &status, 0);
    printf("died of %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    return 0;
}
