// An instruction or a block that lies on a page without execute permission faults, once; it runs as soon as the page may be
// executed, in whatever way that came about, also where the code before it runs hot.
// oracle: none. qemu-user keeps the fault.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, ALL = PROT_READ | PROT_WRITE | PROT_EXEC };
static unsigned char *base;
static volatile int faults, code, at_page, opened;
static int how;

static void second_page(void) {
    emit(base + PAGE + 2, RET, RET);
    memset(base + PAGE, 0, 2);
    base[PAGE] = 0x30, base[PAGE + 1] = 0x12;      // the upper half of li a0, 0x123
}

static void *open_page(void *unused) {
    (void)unused;
    mprotect(base + PAGE, PAGE, ALL);
    opened = 1;
    return 0;
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    faults++;
    code = info->si_code;
    at_page = (unsigned char *)info->si_addr == base + PAGE;
    if (faults > 3) { printf("signal %d again and again\n", signal); fflush(stdout); _exit(1); }
    switch (how) {
    case 0: mprotect(base + PAGE, PAGE, ALL); break;
    case 1:
        mmap(base + PAGE, PAGE, ALL, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        second_page();
        break;
    case 2: {
        unsigned char *other = mmap(NULL, PAGE, ALL, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(other, "\x30\x12\x67\x80\x00\x00", 6);
        mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + PAGE);
        break;
    }
    default: {
        pthread_t thread;
        pthread_create(&thread, 0, open_page, 0);
        while (!opened) {}
        pthread_join(thread, 0);
    }
    }
    asm volatile("fence.i" ::: "memory");
}

static void close_page(void) {
    faults = 0;
    opened = 0;
    if (how == 1) munmap(base + PAGE, PAGE);
    else mprotect(base + PAGE, PAGE, how == 2 ? PROT_NONE : PROT_READ | PROT_WRITE);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    base = mmap(NULL, 2 * PAGE, ALL, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    // li a0, 0x123 across the pages, alone and behind other instructions.
    for (how = 0; how < 4; how++)
        for (int before = 0; before < 2; before++) {
            mprotect(base, 2 * PAGE, ALL);
            uint32_t nop = 0x00000013, li = 0x12300513;
            memcpy(base + PAGE - 6, &nop, 4);
            memcpy(base + PAGE - 2, &li, 4);
            second_page();
            close_page();
            asm volatile("fence.i" ::: "memory");
            Function f = (Function)(base + PAGE - 2 - 4 * before);
            long result = f(0);
            printf("across %d %d: %lx after %d fault%s, code %d\n", how, before, result, faults, at_page ? "" : " elsewhere", code);
        }

    // A branch to the second page, not taken while it runs hot.
    for (how = 0; how < 4; how++) {
        mprotect(base, 2 * PAGE, ALL);
        emit(base + PAGE - 8, 0x00051463, RET);        // bnez a0, +8; ret
        emit(base + PAGE, li_a0(2), RET);
        close_page();
        asm volatile("fence.i" ::: "memory");
        Function f = (Function)(base + PAGE - 8);
        long sum = 0;
        for (int i = 0; i < 60000; i++) sum += f(0);
        usleep(20000);                                   // a region made beside it is in place
        for (int i = 0; i < 60000; i++) sum += f(0);
        if (how == 1 || how == 2) continue;               // what comes there is the other code
        for (int i = 0; i < 5; i++) sum += f(1);
        printf("branch %d: %ld after %d fault, code %d\n", how, sum, faults, code);
    }
    return 0;
}
