// Signals and threads together: directed signals, a mask per thread, a thread that spins while it is signalled,
// exit of the whole process while other threads run.
// guests: riscv32
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int hits, stop;
static _Atomic pthread_t last;
static void handler(int n) { (void)n; last = pthread_self(); hits++; }
static void *spin(void *argument) {
    (void)argument;
    unsigned long x = 1;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) x = x * 3 + 1;
    return (void *)(x | 1);
}
static void *forever(void *argument) { for (;;) __asm__ volatile("" : : "r"(argument)); return NULL; }

int main(void) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, spin, NULL);
    int directed = 1;
    for (int i = 1; i <= 50; i++) {
        pthread_kill(thread, SIGUSR1);
        while (hits < i) usleep(100);
        directed &= pthread_equal(last, thread) != 0;
    }
    printf("directed %d hits %d\n", directed, hits);
    sigset_t set;
    sigemptyset(&set); sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);                      // only the spinning thread may take it
    while (hits < 51) usleep(100);
    printf("to the process, taken by the other thread: %d\n", pthread_equal(last, thread) != 0);
    stop = 1;
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, forever, NULL);
    pthread_create(&thread, NULL, forever, NULL);
    printf("leaving\n");
    exit(3);
}
