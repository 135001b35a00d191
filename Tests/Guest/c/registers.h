// Assembly for registers of both widths: instructions that load and store one.
#pragma once
#if __riscv_xlen == 64
#define LOAD "ld "
#define STORE "sd "
#define AMOADD "amoadd.d "
#else
#define LOAD "lw "
#define STORE "sw "
#define AMOADD "amoadd.w "
#endif
