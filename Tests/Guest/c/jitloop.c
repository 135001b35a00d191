// A just-in-time compiler's pattern: one function rewritten and called 10000 times, and a growing arena of functions.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <stdio.h>
#include <sys/mman.h>

int main(void) {
    unsigned char *page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t sum = 0;
    for (int i = 0; i < 10000; i++) {
        emit(page, addi_a0(i & 1023), RET);
        flush(page, 8);
        sum = sum * 31 + (unsigned long)((Function)page)(i);
    }
    printf("%llu\n", (unsigned long long)sum);
    for (int i = 0; i < 20000; i++) {
        unsigned char *at = page + 4096 + i * 48;
        emit(at, addi_a0(i & 2047), RET);
        flush(at, 8);
        sum = sum * 31 + (unsigned long)((Function)at)(i) + (unsigned long)((Function)(page + 4096 + (i / 2) * 48))(1);
    }
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
