// C extension (Unprivileged ISA, chapter 26): every 16-bit form, wide instructions at odd halfwords, a page border.
#include "check.h"
start
    .option rvc
    la sp, frame
    c.addi4spn a0, sp, 1020
    la a1, frame + 1020
    sub a0, a0, a1
    expect a0, 0
    li a0, 0x1122334455667788
    la a1, frame
    c.sd a0, 248(a1)
    c.ld a2, 248(a1)
    expect a2, 0x1122334455667788
    c.sw a0, 124(a1)
    c.lw a2, 124(a1)
    expect a2, 0x55667788
    c.sdsp a0, 504(sp)
    c.ldsp a3, 504(sp)
    expect a3, 0x1122334455667788
    li a0, 0xffffffff
    c.swsp a0, 240(sp)
    c.lwsp a3, 240(sp)
    expect a3, -1
    c.fldsp fa0, 504(sp)
    c.fsd fa0, 0(a1)
    c.ld a2, 0(a1)
    expect a2, 0x1122334455667788
    c.fld fs0, 248(a1)
    c.fsdsp fs0, 8(sp)
    c.ldsp a2, 8(sp)
    expect a2, 0x1122334455667788
    c.li a0, -32
    expect a0, -32
    c.li a0, 31
    c.addi a0, 31
    expect a0, 62
    c.addi a0, -32
    expect a0, 30
    li a0, 0x7fffffff
    c.addiw a0, 1
    expect a0, -0x80000000
    li a0, 0x180000000
    c.addiw a0, 0
    expect a0, -0x80000000
    c.lui a0, 31
    expect a0, 0x1f000
    c.lui a0, 0xfffe0
    expect a0, -0x20000
    mv a4, sp
    c.addi16sp sp, 496
    sub a0, sp, a4
    expect a0, 496
    c.addi16sp sp, -512
    sub a0, sp, a4
    expect a0, -16
    li a0, 3
    c.slli a0, 63
    expect a0, 0x8000000000000000
    c.srai a0, 62
    expect a0, -2
    c.srli a0, 63
    expect a0, 1
    li a0, 0xff
    c.andi a0, -16
    expect a0, 0xf0
    li a1, 0x1f
    c.sub a0, a1
    expect a0, 0xd1
    c.xor a0, a1
    expect a0, 0xce
    c.or a0, a1
    expect a0, 0xdf
    c.and a0, a1
    expect a0, 0x1f
    li a0, 0x7fffffff
    c.addw a0, a1
    expect a0, -0x7fffffe2
    c.subw a0, a1
    expect a0, 0x7fffffff
    c.mv a0, a1
    expect a0, 0x1f
    c.add a0, a1
    expect a0, 0x3e
    // Jumps and branches, linking two bytes on.
    c.j 1f
    c.li a0, 0
1:  expect a0, 0x3e
    c.li a0, 0
    c.beqz a0, 2f
    c.li a0, 1
2:  expect a0, 0
    c.bnez a0, 3f
    c.li a0, 2
3:  expect a0, 2
    la a1, 4f
    .balign 4
5:  c.jalr a1
6:  c.j 7f
4:  la a2, 6b
    sub a0, ra, a2
    expect a0, 0
    c.jr ra
7:  c.nop
    // A 32-bit instruction that begins in the last halfword of a page.
    j border
    .balign 4096
    .space 4094 - 10
border_first:
    c.li a0, 5
    c.nop
    c.nop
    c.nop
    c.nop
border:
    .option norvc
    lui a0, 0x12345
    addi a0, a0, 0x678
    .option rvc
    expect a0, 0x12345678
finish
    .bss
    .balign 16
frame: .space 2048
