// The small extensions, as encodings, for assemblers that do not know them:
// Zicond, Zcb, Zacas, Zimop, Zawrs, Zicbop, Zicboz, Zihintpause, Zfa, Zfhmin.
// cflags: -march=rv64gc_zfhmin_zawrs_zicbom_zicbop_zicboz
#include "check.h"
#define CZERO_EQZ(rd, rs1, rs2) .insn r 0x33, 5, 7, rd, rs1, rs2
#define CZERO_NEZ(rd, rs1, rs2) .insn r 0x33, 7, 7, rd, rs1, rs2
start
    // Zicond (chapter 12)
    li a1, 0x123456789
    li a2, 0
    li a3, 0x8000000000000000
    CZERO_EQZ(a0, a1, a2)
    expect a0, 0
    CZERO_EQZ(a0, a1, a3)
    expect a0, 0x123456789
    CZERO_NEZ(a0, a1, a2)
    expect a0, 0x123456789
    CZERO_NEZ(a0, a1, a3)
    expect a0, 0
    // Zcb (Code Size Reduction, chapter 27): on a0 (register 2 of the compressed eight).
    la a1, bytes
    .2byte 0x8188                // c.lbu a0, 0(a1)
    expect a0, 0x80
    .2byte 0x81c8                // c.lbu a0, 1(a1)
    expect a0, 0x81
    .2byte 0x81a8                // c.lbu a0, 2(a1)
    expect a0, 0x82
    .2byte 0x8588                // c.lhu a0, 0(a1)
    expect a0, 0x8180
    .2byte 0x85c8                // c.lh a0, 0(a1)
    expect a0, -0x7e80
    li a0, 0xa5
    .2byte 0x8988                // c.sb a0, 0(a1)
    lbu a2, 0(a1)
    expect a2, 0xa5
    li a0, 0x1234
    .2byte 0x8d88                // c.sh a0, 0(a1)
    lhu a2, 0(a1)
    expect a2, 0x1234
    li a0, 0x1ff
    .2byte 0x9d61                // c.zext.b a0
    expect a0, 0xff
    .2byte 0x9d65                // c.sext.b a0
    expect a0, -1
    .2byte 0x9d69                // c.zext.h a0
    expect a0, 0xffff
    .2byte 0x9d6d                // c.sext.h a0
    expect a0, -1
    .2byte 0x9d71                // c.zext.w a0
    expect a0, 0xffffffff
    .2byte 0x9d75                // c.not a0
    expect a0, 0xffffffff00000000
    li a0, 7
    li a1, -3
    .2byte 0x9d4d                // c.mul a0, a1
    expect a0, -21
    // Zacas (chapter 16): amocas.w, amocas.d, amocas.q
    la a1, cell
    li a2, 0x55
    sd a2, 0(a1)
    li a0, 0x54
    li a3, 99
    .insn r 0x2f, 3, 0x14, a0, a1, a3       // amocas.d a0, a3, (a1): no match
    expect a0, 0x55
    ld a4, 0(a1)
    expect a4, 0x55
    .insn r 0x2f, 3, 0x14, a0, a1, a3       // match
    expect a0, 0x55
    ld a4, 0(a1)
    expect a4, 99
    li a2, -1
    sd a2, 0(a1)
    li a0, 0xffffffff
    li a3, 7
    .insn r 0x2f, 2, 0x14, a0, a1, a3       // amocas.w compares 32 bits, returns them sign-extended
    expect a0, -1
    ld a4, 0(a1)
    expect a4, 0xffffffff00000007
    li a2, 1
    sd a2, 0(a1)
    li a2, 2
    sd a2, 8(a1)
    li a4, 1
    li a5, 2
    li a6, 3
    li a7, 4
    .insn r 0x2f, 4, 0x14, a4, a1, a6       // amocas.q a4:a5, a6:a7, (a1)
    ld a0, 0(a1)
    expect a0, 3
    ld a0, 8(a1)
    expect a0, 4
    expect a4, 1
    expect a5, 2
    .insn r 0x2f, 4, 0x14, a4, a1, a6       // no match: the old pair comes back
    expect a4, 3
    expect a5, 4
    // Zimop (chapter 13): may-be-operations write zero; Zcmop does nothing.
    li a0, 5
    .4byte 0x81c04573                       // mop.r.0 a0, x0
    expect a0, 0
    li a0, 5
    li a1, 6
    .insn r 0x73, 4, 0x41, a0, a1, a1       // mop.rr.0 a0, a1, a1
    expect a0, 0
    // Zawrs (chapter 15): a stall may end at any time. Zihintpause: pause.
    la a1, cell
    lr.w a0, (a1)
    wrs.sto
    .4byte 0x0100000f                       // pause
    // Cache-block operations (CMO): prefetches are hints, zero clears a block of 64 bytes.
    la a1, block + 32
    prefetch.r 0(a1)
    prefetch.w 32(a1)
    prefetch.i 0(a1)
    lbu a0, 0(a1)
    expect a0, 0xaa
    cbo.zero (a1)
    ld a0, 0(a1)
    expect a0, 0
    ld a0, -32(a1)
    expect a0, 0
    ld a0, 24(a1)
    expect a0, 0
    lbu a0, 32(a1)
    expect a0, 0xbb
    // Zfhmin (chapter 22): moves, loads, stores and conversions of half precision.
    csrwi fcsr, 0
    li a0, 0x3e00
    fmv.h.x fa0, a0                         // 1.5
    fcvt.d.h fa1, fa0
    fmv.x.d a0, fa1
    expect a0, 0x3ff8000000000000
    fcvt.s.h fa2, fa0
    fmv.x.w a0, fa2
    expect a0, 0x3fc00000
    fmv.x.d a0, fa0
    expect a0, 0xffffffffffff3e00
    fcvt.h.d fa3, fa1
    fmv.x.h a0, fa3
    expect a0, 0x3e00
    csrr a0, fflags
    expect a0, 0
    li a0, 0x40effc0000000000               // 65504 and a half unit: rounds to infinity, overflow and inexact
    fmv.d.x fa1, a0
    fcvt.h.d fa3, fa1
    fmv.x.h a0, fa3
    expect a0, 0x7bff
    li a0, 0x40effe0000000000
    fmv.d.x fa1, a0
    fcvt.h.d fa3, fa1
    fmv.x.h a0, fa3
    expect a0, 0x7c00
    csrr a0, fflags
    expect a0, 5
    fmv.d.x fa0, x0                         // an unboxed half counts as the canonical NaN
    fcvt.s.h fa1, fa0
    fmv.x.w a0, fa1
    expect a0, 0x7fc00000
    li a0, 0xffff
    fmv.h.x fa0, a0
    fmv.x.h a0, fa0
    expect a0, -1
    la a1, cell
    li a0, 0xbc00
    sh a0, 0(a1)
    flh fa0, 0(a1)
    fsh fa0, 2(a1)
    lw a0, 0(a1)
    expect a0, -0x43ff4400
    // Zfa (chapter 30)
    csrwi fcsr, 0
    .insn r 0x53, 0, 0x79, fa0, x16, f1     // fli.d fa0, 1.0
    fmv.x.d a0, fa0
    expect a0, 0x3ff0000000000000
    .insn r 0x53, 0, 0x79, fa0, x0, f1      // fli.d fa0, -1.0
    fmv.x.d a0, fa0
    expect a0, 0xbff0000000000000
    .insn r 0x53, 0, 0x79, fa0, x1, f1      // fli.d fa0, the smallest normal number
    fmv.x.d a0, fa0
    expect a0, 0x0010000000000000
    .insn r 0x53, 0, 0x78, fa0, x31, f1     // fli.s fa0, NaN
    fmv.x.d a0, fa0
    expect a0, 0xffffffff7fc00000
    .insn r 0x53, 0, 0x78, fa0, x29, f1     // fli.s fa0, 65536
    fmv.x.w a0, fa0
    expect a0, 0x47800000
    .insn r 0x53, 0, 0x79, fa1, x31, f1     // fli.d fa1, NaN
    .insn r 0x53, 0, 0x79, fa2, x20, f1     // fli.d fa2, 2.0
    .insn r 0x53, 2, 0x15, fa0, fa1, fa2    // fminm.d: NaN in, NaN out
    fmv.x.d a0, fa0
    expect a0, 0x7ff8000000000000
    fmin.d fa0, fa1, fa2
    fmv.x.d a0, fa0
    expect a0, 0x4000000000000000
    fmv.d.x fa3, x0
    fneg.d fa4, fa3
    .insn r 0x53, 3, 0x15, fa0, fa4, fa3    // fmaxm.d of -0 and +0
    fmv.x.d a0, fa0
    expect a0, 0
    csrr a0, fflags
    expect a0, 0
    li a0, 0x4004000000000000               // 2.5
    fmv.d.x fa1, a0
    .insn r 0x53, 0, 0x21, fa0, fa1, f4     // fround.d, to nearest even
    fmv.x.d a0, fa0
    expect a0, 0x4000000000000000
    .insn r 0x53, 4, 0x21, fa0, fa1, f4     // fround.d, ties to the larger magnitude
    fmv.x.d a0, fa0
    expect a0, 0x4008000000000000
    csrr a0, fflags
    expect a0, 0
    .insn r 0x53, 3, 0x21, fa0, fa1, f5     // froundnx.d, up
    fmv.x.d a0, fa0
    expect a0, 0x4008000000000000
    csrrwi a0, fflags, 0
    expect a0, 1
    li a0, 0x41f0000000180000               // 2^32 + 1.5: modular conversion
    fmv.d.x fa1, a0
    .insn r 0x53, 1, 0x61, a0, fa1, f8      // fcvtmod.w.d
    expect a0, 1
    csrrwi a0, fflags, 0
    expect a0, 0x10
    .insn r 0x53, 0, 0x79, fa1, x31, f1
    .insn r 0x53, 4, 0x51, a0, fa1, fa2     // fleq.d: a quiet NaN raises nothing
    expect a0, 0
    .insn r 0x53, 5, 0x51, a0, fa2, fa2     // fltq.d
    expect a0, 0
    .insn r 0x53, 4, 0x51, a0, fa2, fa2
    expect a0, 1
    csrr a0, fflags
    expect a0, 0
finish
    .data
    .balign 64
block: .fill 64, 1, 0xaa
    .fill 64, 1, 0xbb
    .balign 16
cell: .space 16
bytes: .byte 0x80, 0x81, 0x82, 0x83
