// guests: moxie riscv32
// Everything that a calling convention and control flow can do: structures by value, many and variable arguments, function
// pointers, deep recursion, tail calls, labels as values, large switches, bit fields, setjmp. The same on all machines.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct one { uint8_t a; };
struct small { int16_t a; int8_t b; };
struct pair { uint32_t a; int32_t b; };
struct mixed { char c; int64_t wide; int16_t s; };
struct large { uint32_t words[23]; };
struct fields { unsigned a : 3; int b : 5; unsigned c : 17; int d : 7; uint64_t e : 40; };

__attribute__((noinline)) static struct one one(struct one x) { x.a = (uint8_t)(x.a * 3); return x; }
__attribute__((noinline)) static struct small small(struct small x, int y) { x.a = (int16_t)(x.a + y); x.b = (int8_t)-x.b; return x; }
__attribute__((noinline)) static struct pair pair(int n, struct pair x, struct pair y) { return (struct pair){x.a * 5 + y.a, n - y.b - x.b}; }
__attribute__((noinline)) static struct mixed mixed(struct mixed x) { x.wide *= x.s; x.c++; return x; }
__attribute__((noinline)) static struct large large(struct large x, uint32_t n) { for (int i = 0; i < 23; i++) x.words[i] = x.words[(i + 1) % 23] + n; return x; }
__attribute__((noinline)) static int64_t many(int a, int64_t b, char c, short d, uint64_t e, int f, int g, int h, int64_t i, unsigned j) {
    return a + b * 2 + c * 3 + d * 4 + (int64_t)e * 5 + f * 6 + g * 7 + h * 8 + i * 9 + (int64_t)j * 10;
}
__attribute__((noinline)) static int64_t sum(const char *kinds, ...) {
    va_list list, copy;
    int64_t total = 0;
    va_start(list, kinds);
    va_copy(copy, list);
    for (const char *k = kinds; *k; k++) total = total * 3 + (*k == 'w' ? va_arg(list, int64_t) : *k == 'd' ? (int64_t)va_arg(list, double) : va_arg(list, int));
    total += *kinds == 'w' ? va_arg(copy, int64_t) : va_arg(copy, int);
    va_end(copy);
    va_end(list);
    return total;
}
__attribute__((noinline)) static int down(int n) { return n == 0 ? 0 : 1 + down(n - 1); }
static int odd(int n);
__attribute__((noinline)) static int even(int n) { return n == 0 ? 1 : odd(n - 1); }
__attribute__((noinline)) static int odd(int n) { return n == 0 ? 0 : even(n - 1); }

#define LEAF(n) __attribute__((noinline)) static uint64_t leaf##n(uint64_t x) { return x * (2 * n + 3) + n; }
LEAF(0) LEAF(1) LEAF(2) LEAF(3) LEAF(4) LEAF(5) LEAF(6) LEAF(7)
static uint64_t (*const leaves[8])(uint64_t) = {leaf0, leaf1, leaf2, leaf3, leaf4, leaf5, leaf6, leaf7};

static uint64_t threaded(const unsigned char *program) {
    static const void *const labels[] = {&&add, &&mul, &&xor, &&loop, &&stop};
    uint64_t acc = 1, rounds = 0;
    const unsigned char *pc = program;
#define NEXT goto *labels[*pc++]
    NEXT;
add: acc += 7; NEXT;
mul: acc *= 6364136223846793005ull; NEXT;
xor: acc ^= acc >> 29; NEXT;
loop: if (++rounds < 20000) pc = program; NEXT;
stop: return acc;
}
__attribute__((noinline)) static int big_switch(int n) {
    switch (n) {
#define CASE(n) case (n): return (n) * 31 + ((n) ^ 0x55);
#define CASES(n) CASE(n) CASE(n + 1) CASE(n + 2) CASE(n + 3) CASE(n + 4) CASE(n + 5) CASE(n + 6) CASE(n + 7)
        CASES(0) CASES(8) CASES(16) CASES(24) CASES(32) CASES(40)
        case 1000: return 5;
        default: return -1;
    }
}
static jmp_buf target;
__attribute__((noinline)) static int dive(int depth, int x) {
    if (depth == 0) { if (x < 0) return 0; longjmp(target, x); }
    return dive(depth - 1, x + 1) + depth;
}

int main(void) {
    struct one o = one((struct one){100});
    struct small s = small((struct small){32000, -7}, 767);
    struct pair p = pair(3, (struct pair){7, -8}, (struct pair){0xfffffff0, 12});
    struct mixed m = mixed((struct mixed){'x', -1234567890123, -9});
    struct large l;
    for (int i = 0; i < 23; i++) l.words[i] = (uint32_t)i * 0x9e3779b9u;
    for (int i = 0; i < 50; i++) l = large(l, (uint32_t)i);
    printf("structures %d %d %d %u %d %c %lld %d %u\n", o.a, s.a, s.b, (unsigned)p.a, (int)p.b, m.c, (long long)m.wide, m.s, (unsigned)l.words[11]);
    struct fields f = {5, -16, 0x1ffff, 63, 0xfedcba9876};
    f.a += 6; f.b -= 1; f.c += 2; f.d = (int)f.c - 66; f.e *= 3;
    printf("fields %u %d %u %d %llu\n", f.a, f.b, f.c, f.d, (unsigned long long)f.e);
    printf("many %lld\n", (long long)many(-1, 1ll << 40, 'z', -300, 1ull << 50, 6, -7, 8, -35184372088832ll, 0xffffffffu));
    printf("variable %lld %lld\n", (long long)sum("wiwid", 5ll << 33, -6, -120259084288ll, 8, 9.5), (long long)sum("iwdi", 3, 1ll << 35, -4.25, -5));
    int depth = 0;
    for (int i = 0; i < 20; i++) depth += down(5000);
    printf("recursion %d %d %d\n", depth, even(10000), even(9999));
    uint64_t x = 1;
    for (int i = 0; i < 30000; i++) x = leaves[(x >> 13) & 7](x);
    static const unsigned char program[] = {0, 1, 2, 0, 2, 1, 1, 0, 3, 4};
    printf("indirect %016llx %016llx\n", (unsigned long long)x, (unsigned long long)threaded(program));
    uint32_t t = 0;
    for (int i = -10; i < 6000; i++) t = t * 7 + (uint32_t)big_switch(i * 37 % 1200);
    printf("switch %u\n", (unsigned)t);
    volatile int jumps = 0;
    int value = setjmp(target);
    if (jumps++ < 300) dive(20, jumps);
    printf("jumps %d %d\n", jumps, value);
    char text[200];
    int written = snprintf(text, sizeof text, "[%5d|%-5d|%05d|%x|%o|%c|%s|%.3s|%lld|%#llx]", 42, -42, 42, 0xbeef, 8, 'q', "word", "abcdef", -5000000000ll, 0xabcdef0123ull);
    printf("%s %d\n", text, written);
    return 0;
}
