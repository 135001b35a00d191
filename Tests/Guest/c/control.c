// Control flow that translators get wrong: deep recursion (deeper than any return stack), mutual recursion, tail calls,
// indirect calls with many targets at one site, virtual-call patterns, returns to somewhere else, computed jumps.
// guests: riscv32
#include "registers.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

__attribute__((noinline)) static long down(long n) { return n == 0 ? 0 : 1 + down(n - 1); }
static int odd(int n);
__attribute__((noinline)) static int even(int n) { return n == 0 ? 1 : odd(n - 1); }
__attribute__((noinline)) static int odd(int n) { return n == 0 ? 0 : even(n - 1); }
__attribute__((noinline)) static int ackermann(int m, int n) { return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)); }

#define LEAF(n) __attribute__((noinline)) static uint64_t leaf##n(uint64_t x) { return x * (2 * n + 3) + n; }
LEAF(0) LEAF(1) LEAF(2) LEAF(3) LEAF(4) LEAF(5) LEAF(6) LEAF(7) LEAF(8) LEAF(9) LEAF(10) LEAF(11) LEAF(12) LEAF(13) LEAF(14) LEAF(15)
static uint64_t (*const leaves[16])(uint64_t) = {leaf0, leaf1, leaf2, leaf3, leaf4, leaf5, leaf6, leaf7, leaf8, leaf9, leaf10, leaf11, leaf12, leaf13, leaf14, leaf15};

// Returns to its caller's caller by loading another return address: a return stack must notice.
long skip_frame(long x);
long through(long x);
__asm__(".text\nskip_frame:\n" LOAD "ra, 8(sp)\naddi sp, sp, 16\naddi a0, a0, 1000\nret\n"
        "through:\naddi sp, sp, -16\n" STORE "ra, 8(sp)\njal skip_frame\naddi a0, a0, 1\n" LOAD "ra, 8(sp)\naddi sp, sp, 16\nret\n");

static uint64_t threaded(const unsigned char *program) {
    static const void *const labels[] = {&&add, &&mul, &&xor, &&loop, &&stop};
    uint64_t acc = 1, rounds = 0;
    const unsigned char *pc = program;
#define NEXT goto *labels[*pc++]
    NEXT;
add: acc += 7; NEXT;
mul: acc *= 6364136223846793005ull; NEXT;
xor: acc ^= acc >> 29; NEXT;
loop: if (++rounds < 100000) pc = program; NEXT;
stop: return acc;
}

static int big_switch(int n) {
    switch (n) {
#define CASE(n) case (n): return (n) * 31 + ((n) ^ 0x55);
#define CASES(n) CASE(n) CASE(n + 1) CASE(n + 2) CASE(n + 3) CASE(n + 4) CASE(n + 5) CASE(n + 6) CASE(n + 7)
        CASES(0) CASES(8) CASES(16) CASES(24) CASES(32) CASES(40) CASES(48) CASES(56) CASES(64) CASES(72) CASES(80) CASES(88) CASES(96) CASES(104) CASES(112) CASES(120)
        case 1000: return 5;
        case 5000: return 6;
        default: return -1;
    }
}

int main(void) {
    long total = 0;
    for (int i = 0; i < 20; i++) total += down(30000);
    printf("down %ld\n", total);
    printf("even %d %d\n", even(100000), even(99999));
    printf("ackermann %d\n", ackermann(2, 300) + ackermann(3, 6));
    uint64_t x = 1;
    for (int i = 0; i < 300000; i++) x = leaves[(x >> 13) & 15](x);
    printf("indirect %016llx\n", (unsigned long long)x);
    for (int i = 0; i < 1000; i++) x = x * 3 + (uint64_t)through(i);
    printf("skipped %016llx\n", (unsigned long long)x);
    static const unsigned char program[] = {0, 1, 2, 0, 2, 1, 1, 0, 3, 4};
    printf("threaded %016llx\n", (unsigned long long)threaded(program));
    uint64_t s = 0;
    for (int i = -10; i < 6000; i++) s = s * 7 + (uint64_t)big_switch(i * 37 % 1200);
    printf("switch %llu\n", (unsigned long long)s);
    return 0;
}
