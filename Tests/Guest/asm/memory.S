// Loads and stores (Unprivileged ISA, sections 2.6 and 4.3): widths, extension, offsets, misaligned and page-crossing.
#include "check.h"
.macro load op, offset, result
    \op a0, \offset(s0)
    expect a0, \result
    mv a1, s0
    \op a1, \offset(a1)
    expect a1, \result
.endm
start
    la s0, data
    load lb, 0, -128
    load lbu, 0, 128
    load lb, 7, 0x0f
    load lh, 0, -0x7e80
    load lhu, 0, 0x8180
    load lw, 0, -0x7c7d7e80
    load lwu, 0, 0x83828180
    load ld, 0, 0x0f86858483828180
    load lh, 1, -0x7d7f
    load lw, 3, -0x797a7b7d
    load lwu, 1, 0x84838281
    load ld, 1, 0x110f868584838281
    load ld, 5, 0x55443322110f8685
    addi s0, s0, 2047
    load ld, -2047, 0x0f86858483828180
    addi s0, s0, -2047
    addi s0, s0, 8
    load lbu, -1, 0x0f
    // Stores write their width only.
    la s0, scratch
    li a1, -1
    sd a1, 0(s0)
    sd a1, 8(s0)
    li a2, 0x1122334455667788
    sb a2, 1(s0)
    load ld, 0, 0xffffffffffff88ff
    sh a2, 4(s0)
    load ld, 0, 0xffff7788ffff88ff
    sw a2, 8(s0)
    load ld, 8, 0xffffffff55667788
    sd a2, 3(s0)
    load ld, 0, 0x4455667788ff88ff
    load ld, 8, 0xffffffff55112233
    sw x0, 6(s0)
    load ld, 0, 0x0000667788ff88ff
    load ld, 8, 0xffffffff55110000
    // Across a page border, every misalignment.
    la s1, page_border
    li s2, -7
    li a1, -1
1:  add s0, s1, s2
    sd a2, 0(s0)
    ld a0, 0(s0)
    expect a0, 0x1122334455667788
    lw a0, 4(s0)
    expect a0, 0x11223344
    sh a1, 3(s0)
    ld a0, 0(s0)
    expect a0, 0x112233ffff667788
    lhu a0, 3(s0)
    expect a0, 0xffff
    addi s2, s2, 1
    blez s2, 1b
    // A store that overwrites its own base, a load of what was just stored in another width.
    la s0, scratch
    sd s0, 0(s0)
    ld a0, 0(s0)
    sub a0, a0, s0
    expect a0, 0
    li a1, 0x8899
    sh a1, 0(s0)
    lb a0, 1(s0)
    expect a0, -120
    fence rw, rw
    fence.tso
    .4byte 0x0100000f            // pause, a fence hint
finish
    .data
    .balign 8
data: .byte 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x0f, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88
scratch: .space 32
    .balign 4096
    .space 4096
page_border: .space 4096
