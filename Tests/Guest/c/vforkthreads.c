// vfork in a process of several threads: the child runs in its parent's memory while the other threads go on, what it does to its
// signals stays its own, and posix_spawn tells why it could not execute a program.
// oracle: none. qemu-user makes a fork of it, so that memory is not shared.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static atomic_int stop, handled, beats;
static volatile int shared;
static void handler(int signal) { atomic_fetch_add(&handled, signal); }

static int status_of(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, 0) != pid)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void *beat(void *unused) {
    while (!stop) atomic_fetch_add(&beats, 1);
    return unused;
}

static int spawn(const char *path, const char *argument) {
    char *arguments[] = {"self", (char *)argument, NULL};
    pid_t pid;
    int error = posix_spawn(&pid, path, NULL, NULL, arguments, environ);
    return error ? -error : status_of(pid);
}

static void *spawns(void *number) {
    long sum = 0;
    for (int i = 0; i < 5; i++) {
        sum += spawn("/proc/self/exe", number);
        if (spawn("/nonexistent", number) != -ENOENT) sum += 1000;
    }
    return (void *)sum;
}

int main(int argc, char **argv) {
    if (argc > 1) return atoi(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_t beater, spawner[3];
    pthread_create(&beater, NULL, beat, NULL);
    printf("missing: %s\n", strerror(-spawn("/nonexistent", "0")));
    printf("not a program: %s\n", strerror(-spawn("/proc/self/status", "0")));
    printf("a program: %d\n", spawn("/proc/self/exe", "42"));

    signal(SIGUSR1, handler);
    pid_t pid = vfork();
    if (pid == 0) {
        signal(SIGUSR1, SIG_IGN);
        shared = 7;
        int before = beats;
        while (beats == before) {}
        _exit(5);
    }
    int status = status_of(pid);
    raise(SIGUSR1);
    printf("exit %d, shared %d, handled %d\n", status, shared, handled == SIGUSR1);

    static char *numbers[] = {"1", "2", "3"};
    for (int i = 0; i < 3; i++) pthread_create(&spawner[i], NULL, spawns, numbers[i]);
    for (int i = 0; i < 3; i++) {
        void *sum;
        pthread_join(spawner[i], &sum);
        printf("spawner %d: %ld\n", i, (long)sum);
    }
    stop = 1;
    pthread_join(beater, NULL);
    return 0;
}
