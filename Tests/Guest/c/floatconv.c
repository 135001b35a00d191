// Every F and D conversion and move on edge operands in all five rounding modes, flags included.
#include <stdint.h>
#include <stdio.h>

static const uint64_t doubles[] = {
    0x0000000000000000, 0x8000000000000000, 0x0000000000000001, 0x3fdfffffffffffff, 0x3fe0000000000000,
    0xbfe0000000000000, 0x3fe0000000000001, 0x3ff0000000000000, 0x3ff8000000000000, 0xbff8000000000000,
    0x4004000000000000, 0xc004000000000000, 0x400c000000000000, 0x41dfffffffc00000, 0x41dfffffffe00000,
    0x41e0000000000000, 0xc1e0000000000000, 0xc1e0000000200000, 0x41efffffffe00000, 0x41efffffffffffff,
    0x41f0000000000000, 0x43dfffffffffffff, 0x43e0000000000000, 0xc3e0000000000000, 0xc3e0000000000001,
    0x43efffffffffffff, 0x43f0000000000000, 0x7fefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000,
    0x7ff8000000000000, 0xfff8000000000123, 0x7ff0000000000001, 0x47efffffe0000000, 0x47efffffefffffff,
    0x47effffff0000000, 0x3810000000000000, 0x380fffffffffffff, 0x36a0000000000000, 0x3690000000000000, 0x3ff0000010000000,
};
static const uint32_t floats[] = {
    0x00000000, 0x80000000, 0x00000001, 0x3effffff, 0x3f000000, 0xbf000000, 0x3f000001, 0x3f800000, 0x3fc00000, 0xbfc00000,
    0x40200000, 0xc0200000, 0x40600000, 0x4effffff, 0x4f000000, 0xcf000000, 0xcf000001, 0x4f7fffff, 0x4f800000, 0x5effffff,
    0x5f000000, 0xdf000000, 0xdf000001, 0x5f7fffff, 0x5f800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00123, 0x7f800001,
};
static const uint64_t integers[] = {
    0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x1000001, 0x1000003, 0x20000000000001, 0x20000000000003,
    0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000400, 0x8000000000000401, 0xfffffffffffffbff,
    0xffffffffffffffff, 0xffffff7fffffffff, 0x7fffffbfffffffff, 0x123456789abcdef0,
};

#define FROM_FP(name, op, move) \
    static uint64_t name(uint64_t a, uint64_t *flags) { \
        uint64_t r; \
        __asm__ volatile("fsflags x0\n" move " ft0, %2\n" op " %0, ft0\nfrflags %1" : "=&r"(r), "=&r"(*flags) : "r"(a) : "ft0"); \
        return r; \
    }
#define TO_FP(name, op) \
    static uint64_t name(uint64_t a, uint64_t *flags) { \
        uint64_t r; \
        __asm__ volatile("fsflags x0\n" op " ft0, %2\nfrflags %1\nfmv.x.d %0, ft0" : "=&r"(r), "=&r"(*flags) : "r"(a) : "ft0"); \
        return r; \
    }
#define FP_FP(name, op, move) \
    static uint64_t name(uint64_t a, uint64_t *flags) { \
        uint64_t r; \
        __asm__ volatile("fsflags x0\n" move " ft0, %2\n" op " ft1, ft0\nfrflags %1\nfmv.x.d %0, ft1" : "=&r"(r), "=&r"(*flags) : "r"(a) : "ft0", "ft1"); \
        return r; \
    }
FROM_FP(w_d, "fcvt.w.d", "fmv.d.x") FROM_FP(wu_d, "fcvt.wu.d", "fmv.d.x") FROM_FP(l_d, "fcvt.l.d", "fmv.d.x") FROM_FP(lu_d, "fcvt.lu.d", "fmv.d.x")
FROM_FP(w_s, "fcvt.w.s", "fmv.w.x") FROM_FP(wu_s, "fcvt.wu.s", "fmv.w.x") FROM_FP(l_s, "fcvt.l.s", "fmv.w.x") FROM_FP(lu_s, "fcvt.lu.s", "fmv.w.x")
FROM_FP(x_w, "fmv.x.w", "fmv.d.x")
TO_FP(d_w, "fcvt.d.w") TO_FP(d_wu, "fcvt.d.wu") TO_FP(d_l, "fcvt.d.l") TO_FP(d_lu, "fcvt.d.lu")
TO_FP(s_w, "fcvt.s.w") TO_FP(s_wu, "fcvt.s.wu") TO_FP(s_l, "fcvt.s.l") TO_FP(s_lu, "fcvt.s.lu")
TO_FP(w_x, "fmv.w.x")
FP_FP(s_d, "fcvt.s.d", "fmv.d.x") FP_FP(d_s, "fcvt.d.s", "fmv.w.x") FP_FP(d_s_unboxed, "fcvt.d.s", "fmv.d.x")
FP_FP(fmv_s_unboxed, "fmv.s", "fmv.d.x") FP_FP(fsqrt_s_unboxed, "fsqrt.s", "fmv.d.x")

enum { DOUBLE, FLOAT, INTEGER };
static const struct { const char *name; uint64_t (*run)(uint64_t, uint64_t *); int kind; } rows[] = {
    {"fcvt.w.d", w_d, DOUBLE}, {"fcvt.wu.d", wu_d, DOUBLE}, {"fcvt.l.d", l_d, DOUBLE}, {"fcvt.lu.d", lu_d, DOUBLE},
    {"fcvt.w.s", w_s, FLOAT}, {"fcvt.wu.s", wu_s, FLOAT}, {"fcvt.l.s", l_s, FLOAT}, {"fcvt.lu.s", lu_s, FLOAT},
    {"fmv.x.w", x_w, DOUBLE}, {"fcvt.d.w", d_w, INTEGER}, {"fcvt.d.wu", d_wu, INTEGER}, {"fcvt.d.l", d_l, INTEGER},
    {"fcvt.d.lu", d_lu, INTEGER}, {"fcvt.s.w", s_w, INTEGER}, {"fcvt.s.wu", s_wu, INTEGER}, {"fcvt.s.l", s_l, INTEGER},
    {"fcvt.s.lu", s_lu, INTEGER}, {"fmv.w.x", w_x, INTEGER}, {"fcvt.s.d", s_d, DOUBLE}, {"fcvt.d.s", d_s, FLOAT},
    {"d.s unboxed", d_s_unboxed, DOUBLE}, {"mv.s unboxed", fmv_s_unboxed, DOUBLE}, {"sqrt unboxed", fsqrt_s_unboxed, DOUBLE},
};

int main(void) {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        printf("%-13s", rows[k].name);
        for (int mode = 0; mode < 5; mode++) {
            uint64_t hash = 14695981039346656037ull, flags;
            size_t count = rows[k].kind == DOUBLE ? sizeof doubles / 8 : rows[k].kind == FLOAT ? sizeof floats / 4 : sizeof integers / 8;
            __asm__ volatile("fsrm %0" : : "r"((long)mode));
            for (size_t i = 0; i < count; i++) {
                uint64_t a = rows[k].kind == DOUBLE ? doubles[i] : rows[k].kind == FLOAT ? floats[i] : integers[i];
                hash = (hash ^ rows[k].run(a, &flags)) * 1099511628211ull;
                hash = (hash ^ flags) * 1099511628211ull;
            }
            __asm__ volatile("fsrm x0");
            printf(" %016llx", (unsigned long long)hash);
        }
        putchar('\n');
    }
    return 0;
}
