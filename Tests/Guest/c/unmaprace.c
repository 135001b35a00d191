// One thread executes code that another unmaps and maps again.
// oracle: none. What races here is Martlet itself; the sums hold for any interleaving.
// guests: riscv32
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
static sigjmp_buf back[2];
static __thread int me;
static volatile int stop;
static uint32_t *code;
static void h(int n) { siglongjmp(back[me], 1); }
static volatile long faults, calls, wrong;
static void *runner(void *p) {
    me = (int)(long)p;
    while (!stop) {
        if (sigsetjmp(back[me], 1)) { __sync_fetch_and_add(&faults, 1); continue; }
        for (int i = 0; i < 64 && !stop; i++) {
            long r = ((long (*)(long))(code + 16 * i + me))(5);
            if (r != 5 + (16 - me) - 1) wrong++;
            calls++;
        }
    }
    return 0;
}
int main(void) {
    signal(SIGSEGV, h); signal(SIGILL, h); signal(SIGBUS, h);
    code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t t[2];
    for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, runner, (void *)i);
    struct timespec a, b; clock_gettime(CLOCK_MONOTONIC, &a);
    long rounds = 0;
    do {
        munmap(code, 8192);
        if (rounds % 3 == 0) { volatile int w = 0; while (w < 2000) w++; }
        uint32_t *temporary = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int i = 0; i < 1024; i++) temporary[i] = i % 16 == 15 ? 0x00008067 : 0x00150513;
        mremap(temporary, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, code);
        { volatile int w = 0; while (w < 20000) w++; }
        rounds++;
        clock_gettime(CLOCK_MONOTONIC, &b);
    } while (b.tv_sec - a.tv_sec < 2);
    stop = 1;
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
    printf("wrong %ld%s%s\n", wrong, faults > 0 ? " faults" : "", calls > 0 ? " calls" : "");
    fprintf(stderr, "%ld rounds %ld faults %ld calls\n", rounds, faults, calls);
    return wrong != 0;
}
