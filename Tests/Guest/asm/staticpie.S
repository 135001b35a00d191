// A static position-independent executable: loaded away from address zero, headers and entry where the kernel says.
// link: static-pie
// libs: -Wl,--no-dynamic-linker
#include "check.h"
start
    mv s0, sp
    // Skip argc, argv and envp: the auxiliary vector comes after the second null pointer.
    ld t0, 0(s0)
    addi s0, s0, 8
    slli t0, t0, 3
    add s0, s0, t0
    addi s0, s0, 8
1:  ld t0, 0(s0)
    addi s0, s0, 8
    bnez t0, 1b
    li s1, 0
    li s2, 0
2:  ld t0, 0(s0)
    ld t1, 8(s0)
    addi s0, s0, 16
    li t2, 3                     // AT_PHDR
    bne t0, t2, 3f
    mv s1, t1
3:  li t2, 9                     // AT_ENTRY
    bne t0, t2, 4f
    mv s2, t1
4:  bnez t0, 2b
    la t0, _start
    sub a0, s2, t0
    expect a0, 0
    // The ELF header lies before the program headers; a base of at least 64 KiB.
    addi s1, s1, -64
    lwu a0, 0(s1)
    expect a0, 0x464c457f
    lhu a0, 16(s1)               // e_type: ET_DYN
    expect a0, 3
    ld a0, 24(s1)                // e_entry, relative to the base
    add a0, a0, s1
    sub a0, a0, s2
    expect a0, 0
    srli a0, s1, 16
    snez a0, a0
    expect a0, 1
    la t0, cell
    sd t0, 0(t0)
    ld t1, 0(t0)
    sub a0, t1, t0
    expect a0, 0
finish
    .data
    .balign 8
cell: .dword 0
