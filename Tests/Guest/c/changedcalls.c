// Functions that are rewritten while the code that calls them is hot: through a pointer, two calls deep, and by themselves.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <stdio.h>
#include <sys/mman.h>

#define APART __attribute__((noinline, noclone, noipa))

static unsigned char *page;
APART static long indirect(long x) { return ((Function)page)(x) + 1; }
APART static long deeper(long x) { return indirect(x) + indirect(x + 1); }

int main(void) {
    page = mmap(NULL, 1 << 14, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long long sum = 0;
    for (int round = 0; round < 40; round++) {
        emit(page, round & 1 ? li_a0(round) : addi_a0(round), RET);
        flush(page, 8);
        for (long i = 0; i < 6000; i++) sum += deeper(i);
        printf("%lld\n", sum);
    }
    // A function that calls one on another page: the second page changes, the first stays.
    uint32_t caller[] = {0xff010113, store_ra(8), 0x00058067 | 0x80, load_ra(8), 0x01010113, RET};
    memcpy(page + 4096, caller, sizeof caller);  // addi sp,-16; store ra; jalr ra,a1; load ra; addi sp,16; ret
    flush(page + 4096, sizeof caller);
    long (*call)(long, void *) = (long (*)(long, void *))(page + 4096);
    for (int round = 0; round < 20; round++) {
        emit(page + 8192, round % 3 ? addi_a0(round) : li_a0(round), RET);
        flush(page + 8192, 8);
        for (long i = 0; i < 6000; i++) sum += call(i, page + 8192);
    }
    printf("%lld\n", sum);
    return 0;
}
