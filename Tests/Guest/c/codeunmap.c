// Threads that make code at addresses which others have just given back, in every way in which an address becomes free: munmap,
// mapping over it, mremap, shmdt, loss of the right to execute. Nobody may ever run what was there before.
// oracle: none. What races here is Martlet itself; the sums hold for any interleaving.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <pthread.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <time.h>

enum { THREADS = 4, FUNCTIONS = 20, BYTES = 8192, RIGHTS = PROT_READ | PROT_WRITE | PROT_EXEC };
static volatile long wrong, failed;
static volatile int stop;

static void *fresh(void) {
    void *p = mmap(NULL, BYTES, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) __atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED);
    return p;
}

static void run(unsigned char *page, int value) {
    for (int k = 0; k < FUNCTIONS; k++) emit(page + 64 * k, li_a0((value + k) % 2000), RET);
    asm volatile("fence.i" ::: "memory");
    for (int k = 0; k < FUNCTIONS; k++)
        if (((Function)(page + 64 * k))(0) != (value + k) % 2000) __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

static void *worker(void *argument) {
    long id = (long)argument;
    unsigned char *page = fresh();
    for (int round = 0; !stop; round++) {
        if (page == MAP_FAILED) break;
        int value = (int)(round * 7 + id * 501);
        run(page, value);
        switch ((round + id) % 5) {
        case 0: munmap(page, BYTES); page = fresh(); break;
        case 1: mmap(page, BYTES, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
        case 2: {
            unsigned char *other = fresh();
            run(other, value + 1);
            mremap(other, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, page);
            break;
        }
        case 3: {
            munmap(page, BYTES);
            int segment = shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0700);
            page = shmat(segment, NULL, SHM_EXEC);
            shmctl(segment, IPC_RMID, 0);
            if (page == MAP_FAILED) { page = fresh(); break; }
            run(page, value + 2);
            shmdt(page);
            page = fresh();
            break;
        }
        default:
            mprotect(page, BYTES, PROT_READ | PROT_WRITE);
            for (int k = 0; k < FUNCTIONS; k++) emit(page + 64 * k, li_a0(2047), RET);
            mprotect(page, BYTES, RIGHTS);
        }
    }
    return 0;
}

int main(void) {
    pthread_t threads[THREADS];
    struct timespec length = {0, 600000000};
    for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], 0, worker, (void *)i);
    nanosleep(&length, 0);
    stop = 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], 0);
    printf("wrong %ld failed %ld\n", wrong, failed);
    return 0;
}
