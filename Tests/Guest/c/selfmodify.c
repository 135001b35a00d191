// A program that rewrites its code: through fence.i, through the compiler's cache flush and the system call behind it;
// code that changes the very block it runs in; data on the same page as code.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    unsigned char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    Function f = (Function)page;
    emit(page, addi_a0(1), RET);
    flush(page, 8);
    long a = f(10);
    emit(page, addi_a0(2), RET);
    flush(page, 8);
    long b = f(10);
    emit(page, addi_a0(3), RET);
    __asm__ volatile("fence.i" : : : "memory");
    long c = f(10);
    emit(page, addi_a0(4), RET);
    long status = syscall(259, page, page + 8, 0);
    long d = f(10);
    printf("%ld %ld %ld %ld %ld\n", a, b, c, d, status);

    // The block patches an instruction ahead of itself: sw at the patched place, fence.i, then fall into it.
    // addi a0,a0,1 ; sw a1,12(a2) ; fence.i ; <patched> ; ret
    uint32_t block[] = {0x00150513, 0x00b62623, 0x0000100f, 0x00000013, RET};
    memcpy(page + 256, block, sizeof block);
    flush(page + 256, sizeof block);
    long (*patch)(long, long, void *) = (long (*)(long, long, void *))(page + 256);
    uint64_t sum = 0;
    for (int i = 0; i < 100; i++) sum = sum * 3 + (unsigned long)patch(i, addi_a0(i), page + 256);
    printf("%llu\n", (unsigned long long)sum);

    // A loop writes data next to the code that it calls: the code stays what it is.
    volatile long *data = (volatile long *)(page + 2048);
    emit(page, addi_a0(5), RET);
    flush(page, 8);
    for (int i = 0; i < 2000; i++) *data += f(i);
    printf("%ld\n", *data);

    // Two instructions of one function, changed one at a time.
    uint32_t two[] = {addi_a0(1), addi_a0(1), RET};
    memcpy(page + 512, two, sizeof two);
    flush(page + 512, sizeof two);
    Function g = (Function)(page + 512);
    long total = 0;
    for (int i = 0; i < 200; i++) {
        uint32_t word = addi_a0(i);
        memcpy(page + 512 + (i & 1) * 4, &word, 4);
        flush(page + 512, 8);
        total += g(0);
    }
    printf("%ld\n", total);

    // A function that crosses the page border; only its second page changes.
    uint32_t border[] = {addi_a0(1), addi_a0(1), RET};
    memcpy(page + 4092, border, sizeof border);
    flush(page + 4092, sizeof border);
    Function h = (Function)(page + 4092);
    a = h(0);
    uint32_t word = addi_a0(100);
    memcpy(page + 4096, &word, 4);
    flush(page + 4096, 4);
    printf("%ld %ld\n", a, h(0));
    // One 4-byte instruction across the border, half of it on each page; then its upper half changes.
    uint16_t halves[2];
    word = addi_a0(7);
    memcpy(halves, &word, 4);
    memcpy(page + 4094, halves, 4);
    word = RET;
    memcpy(page + 4098, &word, 4);
    flush(page + 4094, 8);
    Function k = (Function)(page + 4094);
    a = k(0);
    word = addi_a0(1234);
    memcpy(halves, &word, 4);
    memcpy(page + 4096, &halves[1], 2);
    flush(page + 4096, 2);
    printf("%ld %ld\n", a, k(0));
    return 0;
}
