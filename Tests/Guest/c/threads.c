// Threads: mutex, condition, semaphore, barrier, thread-local storage, join values, detached threads, atomics of every
// width, load-reserved loops under contention, many short threads.
// guests: riscv32
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

// That of a long.
#if __riscv_xlen == 64
#define WIDTH "d"
#else
#define WIDTH "w"
#endif
enum { THREADS = 4, ROUNDS = 20000 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long plain;
static atomic_long wide;
static atomic_int narrow;
// Where the compiler calls a library for atomics of less than a word, and there is none, they are words.
#if __riscv_xlen == 64
static _Atomic uint16_t half;
static _Atomic uint8_t small;
#else
static _Atomic uint32_t half, small;
#endif
static long reserved;
static __thread long mine;
static int queue[16], head, tail, filled;
static atomic_long consumed;
static sem_t semaphore;

static void *work(void *argument) {
    long id = (long)argument;
    mine = id;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock); plain++; pthread_mutex_unlock(&lock);
        atomic_fetch_add(&wide, 3);
        atomic_fetch_add_explicit(&narrow, 1, memory_order_relaxed);
        atomic_fetch_add(&half, 1);
        atomic_fetch_xor(&small, 0xff);
        long old, fail;
        __asm__ volatile("1: lr." WIDTH ".aq %0, (%2)\naddi %0, %0, 1\nsc." WIDTH ".rl %1, %0, (%2)\nbnez %1, 1b" : "=&r"(old), "=&r"(fail) : "r"(&reserved) : "memory");
        mine++;
    }
    return (void *)(mine - id);
}
static void *producer(void *argument) {
    (void)argument;
    for (int i = 1; i <= 5000; i++) {
        pthread_mutex_lock(&lock);
        while (filled == 16) pthread_cond_wait(&changed, &lock);
        queue[tail++ & 15] = i; filled++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}
static void *consumer(void *argument) {
    for (int i = 0; i < (long)argument; i++) {
        pthread_mutex_lock(&lock);
        while (!filled) pthread_cond_wait(&changed, &lock);
        consumed += queue[head++ & 15]; filled--;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}
static void *brief(void *argument) { sem_post(&semaphore); return (void *)((long)argument * 2); }

int main(void) {
    pthread_t t[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, work, (void *)i);
    long returned = 0;
    for (int i = 0; i < THREADS; i++) { void *r; pthread_join(t[i], &r); returned += (long)r; }
    printf("mutex %ld, wide %ld, narrow %d, half %u, byte %u, lr/sc %ld, local %ld\n", plain, (long)wide, narrow, (uint16_t)half, (uint8_t)small, reserved, returned);
    pthread_create(&t[0], NULL, producer, NULL); pthread_create(&t[1], NULL, producer, NULL);
    pthread_create(&t[2], NULL, consumer, (void *)6000); pthread_create(&t[3], NULL, consumer, (void *)4000);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    printf("queue %ld\n", (long)consumed);
    sem_init(&semaphore, 0, 0);
    long sum = 0;
    for (long i = 0; i < 300; i++) { void *r; pthread_create(&t[0], NULL, brief, (void *)i); pthread_join(t[0], &r); sum += (long)r; }
    for (int i = 0; i < 300; i++) sem_wait(&semaphore);
    printf("brief %ld\n", sum);
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (long i = 0; i < 20; i++) pthread_create(&t[0], &detached, brief, NULL);
    for (int i = 0; i < 20; i++) sem_wait(&semaphore);
    printf("detached, tid %s pid\n", syscall(SYS_gettid) == getpid() ? "equals" : "differs from");
    return 0;
}
