// Zba, Zbb, Zbc, Zbs (Unprivileged ISA, chapter 28).
// cflags: -march=rv64gc_zba_zbb_zbc_zbs
#include "check.h"
start
    rr add.uw, 0x100000000, 0xffffffffffffffff, 1
    rr sh1add, 0, -1, 2
    rr sh2add, 1, 0x2000000000000000, 0x8000000000000001
    rr sh3add, 9, 0x2000000000000001, 1
    rr sh1add.uw, 0x1fffffffe, -1, 0
    rr sh2add.uw, 0x3fffffffc + 1, -1, 1
    rr sh3add.uw, 0x7fffffff8 + 2, 0x7fffffffffffffff, 2
    ri slli.uw, 0x7fffffff80000000, -1, 31
    ri slli.uw, 0x8000000000000000, 0x100000001, 63
    rr andn, 0xf0, 0xff, 0x0f
    rr orn, -1, 0x0f, 0x0f
    rr orn, 0xf0ffffffffffffff, 0, 0x0f00000000000000
    rr xnor, -1, 0x1234, 0x1234
    r1 clz, 64, 0
    r1 clz, 0, -1
    r1 clz, 63, 1
    r1 clzw, 32, 0xffffffff00000000
    r1 clzw, 0, 0x80000000
    r1 ctz, 64, 0
    r1 ctz, 63, 0x8000000000000000
    r1 ctzw, 32, 0x100000000
    r1 ctzw, 31, 0xffffffff80000000
    r1 cpop, 64, -1
    r1 cpop, 0, 0
    r1 cpop, 32, 0xaaaaaaaaaaaaaaaa
    r1 cpopw, 32, -1
    r1 cpopw, 1, 0xffffffff00000100
    rr max, 1, -1, 1
    rr maxu, -1, -1, 1
    rr min, -1, -1, 1
    rr minu, 1, -1, 1
    rr min, 0x8000000000000000, 0x7fffffffffffffff, 0x8000000000000000
    r1 sext.b, -1, 0xff
    r1 sext.b, 0x7f, 0xffffffffffffff7f
    r1 sext.h, -0x8000, 0x8000
    r1 sext.h, 0x7fff, 0x17fff
    r1 zext.h, 0x8000, 0xffffffffffff8000
    rr rol, 3, 0x8000000000000001, 1
    rr rol, 0x8000000000000001, 0x8000000000000001, 64
    rr rolw, 3, 0x80000001, 1
    rr rolw, -0x7fffffff, 0x80000001, 32
    rr ror, 0xc000000000000000, 0x8000000000000001, 1
    rr rorw, -0x40000000, 0x80000001, 1
    rr rorw, -0x40000000, 0xffffffff80000001, 0x21
    ri rori, 0xc000000000000000, 0x8000000000000001, 1
    ri rori, 0x8000000000000001, 0x8000000000000001, 0
    ri roriw, -0x40000000, 0x80000001, 1
    ri roriw, -0x7fffffff, 0x80000001, 0
    r1 orc.b, 0xff00ff0000ffff00, 0x8000010000ff0100
    r1 orc.b, 0, 0
    r1 rev8, 0x0807060504030201, 0x0102030405060708
    rr clmul, 0x5555555555555555, -1, -1
    rr clmulh, 0x5555555555555555, -1, -1
    rr clmulr, 0xaaaaaaaaaaaaaaaa, -1, -1
    rr clmul, 5, 3, 3
    rr clmulh, 0x4000000000000000, 0x8000000000000000, 0x8000000000000000
    rr bclr, 0x7fffffffffffffff, -1, 63
    rr bclr, -2, -1, 64
    rr bset, 0x8000000000000000, 0, 63
    rr bset, 2, 0, 65
    rr binv, 0, 1, 0
    rr binv, 0x100000000, 0, 32
    rr bext, 1, 0x8000000000000000, 63
    rr bext, 0, 0x8000000000000000, 62
    rr bext, 1, 2, 65
    ri bclri, 0x7fffffffffffffff, -1, 63
    ri bseti, 0x8000000000000000, 0, 63
    ri binvi, -2, -1, 0
    ri bexti, 1, 0x100000000, 32
finish
