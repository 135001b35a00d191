// Processes: fork and wait, exit statuses, pipes between children, execve of the program itself with arguments and
// environment, vfork, exec of a missing program, orphaned descriptors closed on exec, process groups.
// oracle: none. qemu-user cannot run a guest program as a child without binfmt_misc.
// guests: riscv32
#define _GNU_SOURCE
#include "errors.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int run_self(const char *mode, char *const env[]) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        char *arguments[] = {"renamed", (char *)mode, "second argument", "", NULL};
        execve("/proc/self/exe", arguments, env);
        _exit(126);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "child")) {
        printf("child %s [%s] [%s] of %d, KEY=%s, fd %d\n", argv[0], argv[2], argv[3], argc, getenv("KEY"), fcntl(9, F_GETFD));
        return 23;
    }
    if (argc > 1 && !strcmp(argv[1], "abort")) abort();
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        if (pid == 0) _exit(i);
        int status;
        if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != i) return 1;
    }
    printf("forks\n");
    char *env[] = {"KEY=value", NULL};
    dup2(0, 9);
    fcntl(9, F_SETFD, FD_CLOEXEC);
    printf("exit %d\n", run_self("child", env));
    printf("abort %d\n", run_self("abort", environ));
    // A pipeline of three: numbers, doubled, summed.
    int a[2], b[2];
    if (pipe(a) || pipe(b)) return 1;
    if (fork() == 0) { close(a[0]); for (int i = 0; i < 1000; i++) if (write(a[1], &i, 4) != 4) _exit(1); _exit(0); }
    close(a[1]);
    if (fork() == 0) { int v; close(b[0]); while (read(a[0], &v, 4) == 4) { v *= 2; if (write(b[1], &v, 4) != 4) _exit(1); } _exit(0); }
    close(a[0]); close(b[1]);
    int v; long sum = 0;
    while (read(b[0], &v, 4) == 4) sum += v;
    printf("pipeline %ld\n", sum);
    int good = 0, status;
    while (wait(&status) > 0) good += status == 0;
    printf("children %d, then %s\n", good, error_name(errno));
    char *none[] = {"none", NULL};
    execve("/no/such/program", none, env);
    printf("missing: %s\n", error_name(errno));
    execve("/proc", none, env);
    printf("folder: %s\n", error_name(errno));
    pid_t pid;
    char *arguments[] = {"spawned", "child", "by spawn", "x", NULL};
    int error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, env);
    waitpid(pid, &status, 0);
    printf("spawn %d %d\n", error, WEXITSTATUS(status));
    pid = vfork();
    if (pid == 0) _exit(9);
    waitpid(pid, &status, 0);
    printf("vfork %d\n", WEXITSTATUS(status));
    if ((pid = fork()) == 0) { setpgid(0, 0); _exit(getpgrp() == getpid() ? 3 : 4); }
    waitpid(pid, &status, 0);
    printf("group %d, parent %d\n", WEXITSTATUS(status), getppid() > 0);
    return 0;
}
