// Control transfer (Unprivileged ISA, section 2.5): every condition both ways, links, and jalr's cleared low bit.
#include "check.h"
.macro br op, a, b, taken
    li a1, \a
    li a2, \b
    li a0, 0
    \op a1, a2, 7f
    li a0, 2
7:  addi a0, a0, 1
    .if \taken
    expect a0, 1
    .else
    expect a0, 3
    .endif
.endm
start
    br beq, 5, 5, 1
    br beq, 5, 0x100000005, 0
    br bne, 5, 5, 0
    br bne, 0, 0x8000000000000000, 1
    br blt, -1, 0, 1
    br blt, 0, -1, 0
    br blt, 3, 3, 0
    br blt, 0x8000000000000000, 0x7fffffffffffffff, 1
    br bge, 3, 3, 1
    br bge, -1, 0, 0
    br bge, 0x7fffffffffffffff, 0x8000000000000000, 1
    br bltu, -1, 0, 0
    br bltu, 0, -1, 1
    br bltu, 0x7fffffffffffffff, 0x8000000000000000, 1
    br bgeu, -1, 0, 1
    br bgeu, 0, -1, 0
    br bgeu, 9, 9, 1
    // Backward branch: a counted loop.
    li a0, 0
    li a1, 100000
1:  addi a0, a0, 3
    addi a1, a1, -1
    bnez a1, 1b
    expect a0, 300000
    // jal links the next instruction.
    .option push
    .option norvc
    jal a0, 2f
2:  la a1, 2b
    sub a0, a0, a1
    expect a0, 0
    // jalr clears bit 0 of the target, reads rs1 before it writes rd, and adds a signed offset.
    la a1, 3f + 1
    li a0, 0
    jalr a1, 0(a1)
4:  j 9f
3:  la a2, 4b
    sub a0, a1, a2
    expect a0, 0
    la a1, 5f + 16
    jalr x0, -16(a1)
    j 9f
5:  .option pop
    // Calls three deep and back, ra kept on a small stack; then the same through an alternate link register (t0).
    la sp, stack_top
    li a0, 0
    call outer
    expect a0, 321
    jal t0, alternate
    expect a0, 421
    // A long chain of jumps forward and backward.
    li a0, 0
    j 10f
12: addi a0, a0, 100
    j 13f
10: addi a0, a0, 1
    j 11f
13: j 14f
11: addi a0, a0, 10
    j 12b
14: expect a0, 111
    // An indirect jump through a table.
    li s0, 0
    li s1, 0
15: la a1, table
    slli a2, s0, 3
    add a1, a1, a2
    ld a1, 0(a1)
    jr a1
case0: addi s1, s1, 1
    j 16f
case1: slli s1, s1, 4
    j 16f
case2: addi s1, s1, 5
    j 16f
case3: slli s1, s1, 8
16: addi s0, s0, 1
    li a1, 4
    blt s0, a1, 15b
    expect s1, 0x1500
    j 17f
9:  expect x0, 1
outer:
    addi sp, sp, -16
    sd ra, 0(sp)
    call middle
    addi a0, a0, 1
    ld ra, 0(sp)
    addi sp, sp, 16
    ret
middle:
    addi sp, sp, -16
    sd ra, 0(sp)
    call inner
    call inner
    addi a0, a0, 20
    ld ra, 0(sp)
    addi sp, sp, 16
    ret
inner:
    addi a0, a0, 150
    ret
alternate:
    addi a0, a0, 100
    jr t0
17:
finish
    .section .rodata
    .balign 8
table: .dword case0, case1, case2, case3
    .bss
    .balign 16
    .space 256
stack_top:
