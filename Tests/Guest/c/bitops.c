// Every Zba, Zbb, Zbc and Zbs register form on edge operands: one checksum a row.
// cflags: -march=rv64gc_zba_zbb_zbc_zbs
#include <stdint.h>
#include <stdio.h>

static const uint64_t edge[] = {
    0, 1, 2, 3, 5, 31, 32, 33, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
    0x100000000, 0x0102040810204080, 0x123456789abcdef0, 0x5555555555555555, 0x7fffffffffffffff, 0x8000000000000000,
    0x8000000000000001, 0xaaaaaaaaaaaaaaaa, 0xffffffff00000000, 0xffffffff80000000, 0xffffffffffffffff,
};
enum { COUNT = sizeof edge / sizeof *edge };

#define ROW2(name, op) \
    static uint64_t run_##name(uint64_t a, uint64_t b) { uint64_t r; __asm__ volatile(op " %0, %1, %2" : "=r"(r) : "r"(a), "r"(b)); return r; }
#define ROW1(name, op) \
    static uint64_t run_##name(uint64_t a, uint64_t b) { uint64_t r; (void)b; __asm__ volatile(op " %0, %1" : "=r"(r) : "r"(a)); return r; }
#define ROWS2(X) \
    X(adduw, "add.uw") X(sh1add, "sh1add") X(sh2add, "sh2add") X(sh3add, "sh3add") X(sh1adduw, "sh1add.uw") \
    X(sh2adduw, "sh2add.uw") X(sh3adduw, "sh3add.uw") X(andn, "andn") X(orn, "orn") X(xnor, "xnor") X(max, "max") \
    X(maxu, "maxu") X(min, "min") X(minu, "minu") X(rol, "rol") X(rolw, "rolw") X(ror, "ror") X(rorw, "rorw") \
    X(clmul, "clmul") X(clmulh, "clmulh") X(clmulr, "clmulr") X(bclr, "bclr") X(bset, "bset") X(binv, "binv") X(bext, "bext")
#define ROWS1(X) \
    X(clz, "clz") X(clzw, "clzw") X(ctz, "ctz") X(ctzw, "ctzw") X(cpop, "cpop") X(cpopw, "cpopw") X(sextb, "sext.b") \
    X(sexth, "sext.h") X(zexth, "zext.h") X(orcb, "orc.b") X(rev8, "rev8")
ROWS2(ROW2)
ROWS1(ROW1)
static const struct { const char *name; uint64_t (*run)(uint64_t, uint64_t); } rows[] = {
#define ENTRY(name, op) {op, run_##name},
    ROWS2(ENTRY) ROWS1(ENTRY)
};

int main(void) {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        uint64_t hash = 14695981039346656037ull;
        for (int i = 0; i < COUNT; i++)
            for (int j = 0; j < COUNT; j++) hash = (hash ^ rows[k].run(edge[i], edge[j])) * 1099511628211ull;
        printf("%-10s %016llx\n", rows[k].name, (unsigned long long)hash);
    }
    return 0;
}
