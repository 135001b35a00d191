// setuid with threads: the C library interrupts every thread by a signal of its own to change them all. Also in a forked child,
// whose first thread comes anew.
// guests: riscv32
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int stop;
static void *spin(void *unused) {
    while (!stop) {}
    return unused;
}
static void *nap(void *unused) {
    while (!stop) usleep(100);
    return unused;
}

static int change(void) {
    pthread_t threads[4];
    int failures = 0;
    stop = 0;
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, i & 1 ? spin : nap, NULL);
    for (int i = 0; i < 20; i++) failures += setuid(getuid()) != 0;
    stop = 1;
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    return failures;
}

int main(void) {
    printf("failures %d\n", change());
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) _exit(change());
    int status;
    waitpid(pid, &status, 0);
    printf("in a child %d\n", status);
    return 0;
}
