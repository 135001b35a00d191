// Runs single instructions, whatever they are, in a sea of `ecall`: where they jump to, something ends them.

#pragma once
#include "machine.h"

#define SEA ((volatile u32 *)(reg)(SCRATCH + 0x10000))
#define SEA_WORDS 2048

static void fill_sea(void) { for (int i = 0; i < SEA_WORDS; i++) SEA[i] = ECALL; }

// Registers point into memory that any of them may use.
static void run_word(reg mode, u32 word) {
    SEA[SEA_WORDS / 2] = word;
    fence_code();
    observe_trap("word", mode, (const void *)&SEA[SEA_WORDS / 2], SCRATCH + 0x800, SCRATCH + 0x1800);
}

static inline void observe_memory(void) {
    for (int i = 0; i < 4096; i++) observe("memory", ((volatile u32 *)(reg)SCRATCH)[i]);
}

// Jumps and branches to themselves run for ever, and are left out.
static inline int is_short_loop(u16 word) {
    if (word == 0xa001 || (XLEN == 32 && word == 0x2001)) return 1;
    return (word & 0xdc7f) == 0xc001;                                     // c.beqz, c.bnez with an offset of 0
}
