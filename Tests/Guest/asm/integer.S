// RV64I computational instructions (Unprivileged ISA, chapters 2 and 4): wrap-around, sign extension, shift amounts.
#include "check.h"
start
    rr add, 0x8000000000000000, 0x7fffffffffffffff, 1
    rr add, 0, -1, 1
    rr add, 0x80000000, 0x7fffffff, 1
    rr sub, 0x7fffffffffffffff, 0x8000000000000000, 1
    rr sub, -1, 0, 1
    rr addw, -0x80000000, 0x7fffffff, 1
    rr addw, 0, 0xffffffff, 1
    rr addw, 3, 0x100000001, 0x7700000002
    rr subw, 0x7fffffff, 0x80000000, 1
    rr subw, -1, 0x100000000, 1
    rr xor, 0xf0f0f0f00f0f0f0f, -1, 0x0f0f0f0ff0f0f0f0
    rr or, -1, 0xf0f0f0f00f0f0f0f, 0x0f0f0f0ff0f0f0f0
    rr and, 0, 0xf0f0f0f00f0f0f0f, 0x0f0f0f0ff0f0f0f0
    rr slt, 1, -1, 0
    rr slt, 0, 0, -1
    rr slt, 1, 0x8000000000000000, 0x7fffffffffffffff
    rr slt, 0, 5, 5
    rr sltu, 0, -1, 0
    rr sltu, 1, 0, -1
    rr sltu, 0, 0x8000000000000000, 0x7fffffffffffffff
    rr sll, 0x8000000000000000, 1, 63
    rr sll, 1, 1, 64
    rr sll, 2, 1, 0xffffffffffffff41
    rr srl, 1, 0x8000000000000000, 63
    rr srl, -1, -1, 64
    rr srl, 0x7fffffffffffffff, -1, 65
    rr sra, -1, 0x8000000000000000, 63
    rr sra, 0xc000000000000000, 0x8000000000000000, 1
    rr sra, 0x3fffffffffffffff, 0x7fffffffffffffff, 0x101
    rr sllw, -0x80000000, 1, 31
    rr sllw, 1, 1, 32
    rr sllw, 0x20, 0xffffffff00000001, 0x25
    rr srlw, 1, 0x80000000, 31
    rr srlw, -0x80000000, 0xffffffff80000000, 32
    rr srlw, 0x7fffffff, -1, 33
    rr sraw, -1, 0x80000000, 31
    rr sraw, 0x3fffffff, 0x7fffffff, 33
    rr sraw, -0x80000000, 0x0000000080000000, 0
    ri addi, 2047, 0, 2047
    ri addi, -2048, 0, -2048
    ri addi, 0x7fffffffffffffff, 0x8000000000000000, -1
    ri addiw, -0x80000000, 0x7fffffff, 1
    ri addiw, 0x7fffffff, 0x80000000, -1
    ri addiw, 0, 0x100000000, 0
    ri slti, 1, -2049, -2048
    ri slti, 0, -2048, -2048
    ri sltiu, 1, 0, -1
    ri sltiu, 0, -1, -1
    ri sltiu, 1, 0, 1
    ri xori, -1, 0, -1
    ri xori, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa, -1
    ri ori, -1, 0x7ff, -2048
    ri andi, 0x800, 0xfff, -2048
    ri slli, 0x8000000000000000, 3, 63
    ri slli, 3, 3, 0
    ri srli, 1, -1, 63
    ri srai, -1, 0x8000000000000000, 63
    ri srai, 1, 0x7fffffffffffffff, 62
    ri slliw, -0x80000000, 3, 31
    ri srliw, 1, 0xffffffff80000000, 31
    ri srliw, -1, 0xffffffff, 0
    ri sraiw, -1, 0x80000000, 31
    ri sraiw, 0x12345678, 0xabcdef0012345678, 0
    lui a0, 0x80000
    expect a0, -0x80000000
    lui a0, 0x7ffff
    expect a0, 0x7ffff000
1:  auipc a0, 0
    la a1, 1b
    sub a0, a0, a1
    expect a0, 0
2:  auipc a0, 0xfffff
    la a1, 2b
    sub a0, a0, a1
    expect a0, -4096
finish
