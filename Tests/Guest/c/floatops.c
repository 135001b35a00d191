// Every F and D computation on edge operands in all five rounding modes, with the exception flags of each operation
// in the checksum. The modes go through frm (dynamic), then through the instruction's own field (static).
#include <stdint.h>
#include <stdio.h>

static const uint64_t edge64[] = {
    0x0000000000000000, 0x8000000000000000, 0x0000000000000001, 0x8000000000000001, 0x000fffffffffffff,
    0x0010000000000000, 0x8010000000000000, 0x3ca0000000000000, 0x3fe0000000000000, 0x3fefffffffffffff,
    0x3ff0000000000000, 0xbff0000000000000, 0x3ff0000000000001, 0x3ff8000000000000, 0x4000000000000000,
    0x4008000000000000, 0xc008000000000000, 0x400921fb54442d18, 0x4330000000000001, 0x433fffffffffffff,
    0x7fe0000000000000, 0x7fefffffffffffff, 0xffefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000,
    0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001, 0xfff7ffffffffffff, 0x3810000000000000,
};
static const uint32_t edge32[] = {
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x80800000, 0x33000000, 0x3f000000,
    0x3f7fffff, 0x3f800000, 0xbf800000, 0x3f800001, 0x3fc00000, 0x40000000, 0x40400000, 0xc0400000, 0x40490fdb,
    0x4b000001, 0x4b7fffff, 0x7f000000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001,
    0x7f800001, 0xffbfffff, 0x00ffffff,
};
enum { COUNT = 30 };
typedef struct { uint64_t a, b, c; } Operands;

#define TAKE_FLAGS "frflags %1\n"
#define OP3(name, text, type, from) \
    static uint64_t name(Operands o, uint64_t *flags) { \
        uint64_t r; \
        __asm__ volatile("fsflags x0\n" from " ft0, %2\n" from " ft1, %3\n" from " ft2, %4\n" text "\n" TAKE_FLAGS "fmv.x.d %0, ft3" \
            : "=&r"(r), "=&r"(*flags) : "r"(o.a), "r"(o.b), "r"(o.c) : "ft0", "ft1", "ft2", "ft3"); \
        return r; \
    }
#define OPX(name, text, from) \
    static uint64_t name(Operands o, uint64_t *flags) { \
        uint64_t r; \
        __asm__ volatile("fsflags x0\n" from " ft0, %2\n" from " ft1, %3\n" text "\n" TAKE_FLAGS \
            : "=&r"(r), "=&r"(*flags) : "r"(o.a), "r"(o.b) : "ft0", "ft1", "ft2", "ft3"); \
        return r; \
    }
#define BOTH(name, stem, args) \
    OP3(name##_d, stem ".d ft3, " args, double, "fmv.d.x") OP3(name##_s, stem ".s ft3, " args, float, "fmv.w.x")
#define BOTHX(name, stem, args) \
    OPX(name##_d, stem ".d %0, " args, "fmv.d.x") OPX(name##_s, stem ".s %0, " args, "fmv.w.x")
#define ROUNDED(X) \
    X(fadd, "fadd", "ft0, ft1") X(fsub, "fsub", "ft0, ft1") X(fmul, "fmul", "ft0, ft1") X(fdiv, "fdiv", "ft0, ft1") \
    X(fsqrt, "fsqrt", "ft0") X(fmadd, "fmadd", "ft0, ft1, ft2") X(fmsub, "fmsub", "ft0, ft1, ft2") \
    X(fnmadd, "fnmadd", "ft0, ft1, ft2") X(fnmsub, "fnmsub", "ft0, ft1, ft2")
#define STATIC(X) \
    X(fadd_rne, "fadd", "ft0, ft1, rne") X(fadd_rtz, "fadd", "ft0, ft1, rtz") X(fadd_rdn, "fadd", "ft0, ft1, rdn") \
    X(fadd_rup, "fadd", "ft0, ft1, rup") X(fadd_rmm, "fadd", "ft0, ft1, rmm") X(fmul_rtz, "fmul", "ft0, ft1, rtz") \
    X(fdiv_rmm, "fdiv", "ft0, ft1, rmm") X(fdiv_rup, "fdiv", "ft0, ft1, rup") X(fmadd_rmm, "fmadd", "ft0, ft1, ft2, rmm") \
    X(fmadd_rdn, "fmadd", "ft0, ft1, ft2, rdn") X(fsqrt_rup, "fsqrt", "ft0, rup") X(fsqrt_rmm, "fsqrt", "ft0, rmm")
#define EXACT(X) \
    X(fsgnj, "fsgnj", "ft0, ft1") X(fsgnjn, "fsgnjn", "ft0, ft1") X(fsgnjx, "fsgnjx", "ft0, ft1") \
    X(fmin, "fmin", "ft0, ft1") X(fmax, "fmax", "ft0, ft1")
#define TOINTEGER(X) X(feq, "feq", "ft0, ft1") X(flt, "flt", "ft0, ft1") X(fle, "fle", "ft0, ft1") X(fclass, "fclass", "ft0")
ROUNDED(BOTH)
STATIC(BOTH)
EXACT(BOTH)
TOINTEGER(BOTHX)

typedef struct { const char *name; uint64_t (*run)(Operands, uint64_t *); int single, modes; } Row;
static const Row rows[] = {
#define MODES5(name, stem, args) {#name ".d", name##_d, 0, 5}, {#name ".s", name##_s, 1, 5},
#define MODES1(name, stem, args) {#name ".d", name##_d, 0, 1}, {#name ".s", name##_s, 1, 1},
    ROUNDED(MODES5) STATIC(MODES1) EXACT(MODES1) TOINTEGER(MODES1)
};

int main(void) {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        printf("%-12s", rows[k].name);
        for (int mode = 0; mode < rows[k].modes; mode++) {
            uint64_t hash = 14695981039346656037ull, flags;
            __asm__ volatile("fsrm %0" : : "r"((long)mode));
            for (int i = 0; i < COUNT; i++)
                for (int j = 0; j < COUNT; j++) {
                    int l = (i * 7 + j * 13) % COUNT;
                    Operands d = {edge64[i], edge64[j], edge64[l]}, s = {edge32[i], edge32[j], edge32[l]};
                    hash = (hash ^ rows[k].run(rows[k].single ? s : d, &flags)) * 1099511628211ull;
                    hash = (hash ^ flags) * 1099511628211ull;
                }
            __asm__ volatile("fsrm x0");
            printf(" %016llx", (unsigned long long)hash);
        }
        putchar('\n');
    }
    return 0;
}
