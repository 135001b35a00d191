// Encodings that the self-modifying programs write: small leaf functions of one argument (a0) with a result in a0.
#pragma once
#include <stdint.h>
#include <string.h>

typedef long (*Function)(long);
enum { RET = 0x00008067 };
static inline uint32_t addi_a0(int imm) { return 0x00050513u | (uint32_t)imm << 20; }      // addi a0, a0, imm
static inline uint32_t li_a0(int imm) { return 0x00000513u | (uint32_t)imm << 20; }        // addi a0, x0, imm
// What tells ld and sd of a register from lw and sw of one.
enum { WIDE = __riscv_xlen == 64 ? 0x1000 : 0 };
static inline uint32_t store_ra(int offset) { return 0x00112023u | WIDE | (uint32_t)offset << 7; }   // to offset(sp), below 32
static inline uint32_t load_ra(int offset) { return 0x00012083u | WIDE | (uint32_t)offset << 20; }
static inline void emit(void *at, uint32_t first, uint32_t second) {
    uint32_t words[2] = {first, second};
    memcpy(at, words, sizeof words);
}
static inline void flush(void *at, size_t size) { __builtin___clear_cache((char *)at, (char *)at + size); }
