// vfork shares memory, and nothing else: what the child does to its signals, its mask and its registers is the child's, what
// it does to memory is seen; many spawns in a row; a child that fails to execute; a child killed by a signal; vfork from a signal
// handler's parent with a pending signal.
// oracle: none. qemu-user makes a fork of it, so that memory is not shared.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static volatile int shared, handled;
static void handler(int signal) { handled += signal; }
static void other(int signal) { (void)signal; handled += 1000; }

static int status_of(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char **argv) {
    if (argc > 1) return atoi(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGUSR1, handler);
    volatile double f = 1.5;
    volatile long kept = 42;

    pid_t pid = vfork();
    if (pid == 0) {
        signal(SIGUSR1, other);
        signal(SIGUSR2, SIG_IGN);
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        shared = 7;
        f = f * 2;
        _exit(5);
    }
    printf("exit %d, shared %d, f %.1f, kept %ld, own id %d\n", status_of(pid), shared, f, kept, pid != getpid());
    raise(SIGUSR1);
    printf("handled %d\n", handled);
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    struct sigaction action;
    sigaction(SIGUSR2, NULL, &action);
    printf("blocked %d, usr2 %s\n", sigismember(&mask, SIGINT), action.sa_handler == SIG_DFL ? "default" : "changed");

    // A handler that runs in the child.
    handled = 0;
    if ((pid = vfork()) == 0) {
        kill(getpid(), SIGUSR1);  // raise(3) may know its caller's id by heart
        _exit(handled == SIGUSR1 ? 1 : 2);
    }
    printf("in the child %d, seen %d\n", status_of(pid), handled == SIGUSR1);

    // A signal that is pending in the parent stays the parent's.
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    handled = 0;
    raise(SIGUSR1);
    if ((pid = vfork()) == 0) {
        sigprocmask(SIG_UNBLOCK, &usr1, NULL);
        _exit(handled);
    }
    int child = status_of(pid), before = handled;
    sigprocmask(SIG_UNBLOCK, &usr1, NULL);
    printf("pending: child %d, before %d, after %d\n", child, before, handled == SIGUSR1);

    if ((pid = vfork()) == 0) {
        execl("/nonexistent", "x", NULL);
        _exit(errno == ENOENT ? 3 : 4);
    }
    printf("failed exec %d\n", status_of(pid));
    if ((pid = vfork()) == 0) {
        signal(SIGTERM, SIG_DFL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        kill(getpid(), SIGTERM);
        _exit(6);
    }
    printf("killed %d\n", status_of(pid));
    // One in another.
    if ((pid = vfork()) == 0) {
        pid_t inner = vfork();
        if (inner == 0) _exit(8);
        _exit(status_of(inner) + 1);
    }
    printf("nested %d\n", status_of(pid));
    // fork in vfork.
    if ((pid = vfork()) == 0) {
        pid_t inner = fork();
        if (inner == 0) { shared = 99; _exit(10); }
        _exit(status_of(inner) + 1);
    }
    printf("fork inside %d, shared %d\n", status_of(pid), shared);

    int sum = 0;
    for (int i = 0; i < 30; i++) {
        char number[8];
        snprintf(number, sizeof number, "%d", i);
        char *arguments[] = {"self", number, NULL};
        pid_t spawned;
        if (posix_spawn(&spawned, "/proc/self/exe", NULL, NULL, arguments, environ)) return 1;
        sum += status_of(spawned);
    }
    printf("spawned %d\n", sum);
    return 0;
}
