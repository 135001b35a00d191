// Every RV64IM register-register instruction on all pairs of edge operands: one checksum a row shows which is wrong.
#include <stdint.h>
#include <stdio.h>

static const uint64_t edge[] = {
    0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 127, 128, 255, 0x7fff, 0x8000, 0xffff, 0x7ffffffe, 0x7fffffff, 0x80000000,
    0x80000001, 0xfffffffe, 0xffffffff, 0x100000000, 0x17fffffff, 0x180000000, 0x123456789abcdef0, 0x7ffffffffffffffe,
    0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001, 0xfedcba9876543210, 0xffffffff00000000,
    0xffffffff7fffffff, 0xffffffff80000000, 0xffffffffffffff80, 0xfffffffffffffffe, 0xffffffffffffffff,
};
enum { COUNT = sizeof edge / sizeof *edge };

#define ROW(op) \
    static uint64_t run_##op(uint64_t a, uint64_t b) { uint64_t r; __asm__ volatile(#op " %0, %1, %2" : "=r"(r) : "r"(a), "r"(b)); return r; }
#define ROWS(X) \
    X(add) X(sub) X(sll) X(slt) X(sltu) X(xor) X(srl) X(sra) X(or) X(and) X(addw) X(subw) X(sllw) X(srlw) X(sraw) \
    X(mul) X(mulh) X(mulhsu) X(mulhu) X(div) X(divu) X(rem) X(remu) X(mulw) X(divw) X(divuw) X(remw) X(remuw)
ROWS(ROW)
static const struct { const char *name; uint64_t (*run)(uint64_t, uint64_t); } rows[] = {
#define ENTRY(op) {#op, run_##op},
    ROWS(ENTRY)
};

int main(void) {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        uint64_t hash = 14695981039346656037ull;
        for (int i = 0; i < COUNT; i++)
            for (int j = 0; j < COUNT; j++) hash = (hash ^ rows[k].run(edge[i], edge[j])) * 1099511628211ull;
        printf("%-8s %016llx\n", rows[k].name, (unsigned long long)hash);
    }
    return 0;
}
