// Zicbom (CMO, chapter 2): clean and flush keep the contents of their block, at any address inside it.
// cflags: -march=rv64gc_zicbom
// oracle: none. qemu-user treats these two as privileged; newer kernels allow them to programs.
#include "check.h"
start
    la a1, block + 32
    cbo.clean (a1)
    cbo.flush (a1)
    lbu a0, 0(a1)
    expect a0, 0xaa
    addi a1, a1, 5
    cbo.clean (a1)
    cbo.flush (a1)
    ld a0, -5(a1)
    expect a0, 0xaaaaaaaaaaaaaaaa
finish
    .data
    .balign 64
block: .fill 64, 1, 0xaa
