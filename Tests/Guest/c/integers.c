// guests: moxie riscv32
// Every integer operator of C on all pairs of edge operands of four widths, signed and unsigned: one checksum a row. The same on
// machines of all word sizes and byte orders.
#include <stdint.h>
#include <stdio.h>

static const uint64_t edge[] = {
    0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0x80000001,
    0xfffffffe, 0xffffffff, 0x100000000, 0x123456789abcdef0, 0x7fffffffffffffff, 0x8000000000000000, 0xfedcba9876543210,
    0xffffffff00000000, 0xffffffff80000000, 0xffffffffffffff80, 0xfffffffffffffffe, 0xffffffffffffffff,
};
enum { COUNT = sizeof edge / sizeof *edge };
static uint64_t hash;
static void mix(uint64_t v) { hash = (hash ^ v) * 1099511628211ull; hash ^= hash >> 29; }

// What C leaves undefined is left out: division by zero, the quotient that does not fit, amounts past the width.
#define TYPE(T, U, BITS, IS_SIGNED) \
    __attribute__((noinline)) static void run_##T(U a, U b) { \
        T x = (T)a, y = (T)b; unsigned n = (unsigned)(b & (BITS - 1)); \
        mix((uint64_t)(T)(U)(a + b)); mix((uint64_t)(T)(U)(a - b)); mix((uint64_t)(T)(U)((uint64_t)a * b)); \
        mix((uint64_t)(T)(x & y)); mix((uint64_t)(T)(x | y)); mix((uint64_t)(T)(x ^ y)); mix((uint64_t)(T)~x); \
        mix((uint64_t)(T)(U)(a << n)); mix((uint64_t)(T)(x >> n)); mix((uint64_t)(T)(U)(0 - a)); \
        int is_undefined = y == 0 || (IS_SIGNED && (U)(a << 1) == 0 && a != 0 && y == (T)-1); \
        if (!is_undefined) { mix((uint64_t)(T)(x / y)); mix((uint64_t)(T)(x % y)); } \
        mix((x == y) | (x != y) << 1 | (x < y) << 2 | (x <= y) << 3 | (x > y) << 4 | (x >= y) << 5); \
        if (x < y) { mix(1); } \
        if (x >= y) { mix(2); } \
        if (x == y) { mix(3); } \
        if (!x) { mix(4); } \
        mix((uint64_t)(int8_t)x); mix((uint64_t)(uint8_t)x); mix((uint64_t)(int16_t)x); mix((uint64_t)(uint16_t)x); \
        mix((uint64_t)(int32_t)x); mix((uint64_t)(uint32_t)x); mix((uint64_t)(int64_t)x); \
    }
TYPE(int8_t, uint8_t, 8, 1) TYPE(uint8_t, uint8_t, 8, 0) TYPE(int16_t, uint16_t, 16, 1) TYPE(uint16_t, uint16_t, 16, 0)
TYPE(int32_t, uint32_t, 32, 1) TYPE(uint32_t, uint32_t, 32, 0) TYPE(int64_t, uint64_t, 64, 1) TYPE(uint64_t, uint64_t, 64, 0)

#define ROW(T, U) \
    hash = 14695981039346656037ull; \
    for (int i = 0; i < COUNT; i++) for (int j = 0; j < COUNT; j++) run_##T((U)edge[i], (U)edge[j]); \
    printf("%-8s %016llx\n", #T, (unsigned long long)hash);

int main(void) {
    ROW(int8_t, uint8_t) ROW(uint8_t, uint8_t) ROW(int16_t, uint16_t) ROW(uint16_t, uint16_t)
    ROW(int32_t, uint32_t) ROW(uint32_t, uint32_t) ROW(int64_t, uint64_t) ROW(uint64_t, uint64_t)
    // Products as wide as both factors.
    hash = 0;
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) {
            mix((uint64_t)((int64_t)(int32_t)edge[i] * (int32_t)edge[j]));
            mix((uint64_t)(uint32_t)edge[i] * (uint32_t)edge[j]);
        }
    printf("products %016llx\n", (unsigned long long)hash);
    hash = 0;
    for (int i = 0; i < COUNT; i++)
        if (edge[i]) {
            mix((uint64_t)__builtin_clzll(edge[i])); mix((uint64_t)__builtin_ctzll(edge[i]));
            mix((uint64_t)__builtin_popcountll(edge[i])); mix(__builtin_bswap64(edge[i])); mix(__builtin_bswap32((uint32_t)edge[i]));
        }
    printf("bits     %016llx\n", (unsigned long long)hash);
    return 0;
}
