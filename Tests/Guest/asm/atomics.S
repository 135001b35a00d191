// A extension (Unprivileged ISA, chapter 14): every AMO in both widths, load-reserved and store-conditional.
#include "check.h"
// op.w and op.d: memory MEM, operand OP, the memory afterwards; the old value is returned, sign-extended for .w.
.macro amo op, mem, operand, after
    la a1, cell
    li a2, \mem
    sd a2, 0(a1)
    li a3, \operand
    \op\().d a0, a3, (a1)
    expect a0, \mem
    ld a0, 0(a1)
    expect a0, \after
    sd a2, 0(a1)
    \op\().d.aqrl a3, a3, (a1)
    expect a3, \mem
    sd a2, 0(a1)
    li a3, \operand
    \op\().d x0, a3, (a1)
    ld a0, 0(a1)
    expect a0, \after
.endm
.macro amow op, mem, operand, after
    la a1, cell
    li a2, 0x1122334400000000 + (\mem & 0xffffffff)
    sd a2, 0(a1)
    li a3, \operand
    \op\().w a0, a3, (a1)
    expect a0, \mem
    lw a0, 0(a1)
    expect a0, \after
    lwu a0, 4(a1)
    expect a0, 0x11223344
    sw a2, 0(a1)
    \op\().w.aqrl a3, a3, (a1)
    expect a3, \mem
.endm
start
    amo amoswap, 1, -1, -1
    amo amoadd, 0x7fffffffffffffff, 1, 0x8000000000000000
    amo amoxor, 0xff00ff00ff00ff00, -1, 0x00ff00ff00ff00ff
    amo amoand, 0xff00ff00ff00ff00, 0x0ff00ff00ff00ff0, 0x0f000f000f000f00
    amo amoor, 0xff00ff00ff00ff00, 0x0ff00ff00ff00ff0, 0xfff0fff0fff0fff0
    amo amomin, -1, 1, -1
    amo amomin, 5, -9, -9
    amo amomax, -1, 1, 1
    amo amomax, 5, -9, 5
    amo amominu, -1, 1, 1
    amo amominu, 5, -9, 5
    amo amomaxu, -1, 1, -1
    amo amomaxu, 5, -9, -9
    amow amoswap, 1, -1, -1
    amow amoswap, -0x80000000, 0x1ffffffff, -1
    amow amoadd, 0x7fffffff, 1, -0x80000000
    amow amoxor, -1, 0x0f0f0f0f, -0x0f0f0f10
    amow amoand, -1, 0x80000000, -0x80000000
    amow amoor, 0, 0x80000000, -0x80000000
    amow amomin, -1, 1, -1
    amow amomin, 5, 0x80000000, -0x80000000
    amow amomax, -1, 1, 1
    amow amomax, 5, 0x1080000000, 5
    amow amominu, -1, 1, 1
    amow amominu, 5, -9, 5
    amow amomaxu, -1, 1, -1
    amow amomaxu, 5, -9, -9
    // A pair succeeds, and the conditional reports 0.
    la a1, cell
    li a2, 0xffffffff80000001
    sd a2, 0(a1)
    lr.d a0, (a1)
    expect a0, 0xffffffff80000001
    li a3, 77
    sc.d a4, a3, (a1)
    expect a4, 0
    ld a0, 0(a1)
    expect a0, 77
    // A second conditional has no reservation left: it fails with a non-zero code and stores nothing.
    li a3, 78
    sc.d a4, a3, (a1)
    snez a4, a4
    expect a4, 1
    ld a0, 0(a1)
    expect a0, 77
    // Words are sign-extended and leave their neighbour alone.
    sd a2, 0(a1)
    lr.w.aqrl a0, (a1)
    expect a0, -0x7fffffff
    li a3, 5
    sc.w.aqrl a3, a3, (a1)
    expect a3, 0
    ld a0, 0(a1)
    expect a0, 0xffffffff00000005
    // A conditional to another address fails.
    la a5, other
    lr.d a0, (a1)
    li a3, 9
    sc.d a4, a3, (a5)
    snez a4, a4
    expect a4, 1
    // The constrained loop of the manual: 1000 increments.
    sd x0, 0(a1)
    li a5, 1000
1:  lr.d a0, (a1)
    addi a0, a0, 1
    sc.d a4, a0, (a1)
    bnez a4, 1b
    addi a5, a5, -1
    bnez a5, 1b
    ld a0, 0(a1)
    expect a0, 1000
finish
    .data
    .balign 64
cell: .dword 0
    .balign 128
other: .dword 0
