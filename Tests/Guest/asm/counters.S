// Zicsr and Zicntr (Unprivileged ISA, chapters 6 and 7): fcsr and its fields through every CSR form; counters go up.
#include "check.h"
start
    li a0, 0xff
    csrrw a1, fcsr, a0
    csrr a0, fcsr
    expect a0, 0xff
    csrr a0, fflags
    expect a0, 0x1f
    csrr a0, frm
    expect a0, 7
    csrwi fflags, 0
    csrr a0, fcsr
    expect a0, 0xe0
    csrrwi a0, frm, 2
    expect a0, 7
    csrrsi a0, fflags, 5
    expect a0, 0
    csrrci a0, fflags, 4
    expect a0, 5
    csrr a0, fcsr
    expect a0, 0x41
    li a1, 0x18
    csrrs a0, fflags, a1
    expect a0, 1
    li a1, 8
    csrrc a0, fflags, a1
    expect a0, 0x19
    csrr a0, fcsr
    expect a0, 0x51
    li a1, -1
    csrw frm, a1
    csrr a0, fcsr
    expect a0, 0xf1
    li a1, 0xffffffffffffff00
    csrw fcsr, a1
    csrr a0, fcsr
    expect a0, 0
    // Same register as source and destination.
    li a0, 3
    csrrw a0, frm, a0
    expect a0, 0
    csrrs x0, frm, x0
    csrr a0, frm
    expect a0, 3
    csrwi frm, 0
    // Counters are readable and do not go backwards.
    rdcycle a1
    rdtime a2
    rdinstret a3
    li a4, 10000
1:  addi a4, a4, -1
    bnez a4, 1b
    rdcycle a5
    rdtime a6
    rdinstret a7
    sltu a0, a1, a5
    expect a0, 1
    sgtu a0, a2, a6
    expect a0, 0
    sltu a0, a3, a7
    expect a0, 1
    // An empty value of fflags after an inexact division, then a clean one.
    csrwi fcsr, 0
    li a0, 1
    fcvt.d.l fa0, a0
    li a0, 3
    fcvt.d.l fa1, a0
    fdiv.d fa2, fa0, fa1
    csrr a0, fflags
    expect a0, 1
    csrwi fflags, 0
    fadd.d fa2, fa0, fa1
    csrr a0, fflags
    expect a0, 0
    fcvt.w.d a0, fa2
    expect a0, 4
finish
