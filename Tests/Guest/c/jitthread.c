// Code written by one thread and run by another, handed over through a flag; both flush as the platform asks.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

static unsigned char *page;
static atomic_int turn;

static void *writer(void *unused) {
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        while (atomic_load(&turn) != 0) sched_yield();
        emit(page, addi_a0(i & 1023), RET);
        flush(page, 8);
        atomic_store(&turn, 1);
    }
    return NULL;
}

int main(void) {
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, writer, NULL);
    uint64_t sum = 0;
    int wrong = 0;
    for (int i = 0; i < 2000; i++) {
        while (atomic_load(&turn) != 1) sched_yield();
        __asm__ volatile("fence.i" : : : "memory");
        long result = ((Function)page)(i);
        wrong += result != i + (i & 1023);
        sum = sum * 31 + (unsigned long)result;
        atomic_store(&turn, 0);
    }
    pthread_join(thread, NULL);
    printf("%llu wrong %d\n", (unsigned long long)sum, wrong);
    return 0;
}
