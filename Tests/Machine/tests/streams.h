// Code for a random privileged stream: how instructions are written, and the ways into the stream and out of it.

#pragma once
#include "machine.h"

// ---- The stream's world: frames of RAM, and a window of virtual pages that random entries map to them

#define DATA ((reg)SCRATCH)                    // two frames that are read and written
#define DATA_MARGIN 16                         // words before and behind them that an offset reaches
#define LANDING (DATA + 8 * PAGE)              // two frames of `jr x31`: jumps that find code come back
#define CODE_AT (DATA + 0x10000)               // the stream
#define CODE_WORDS 4096
#define WINDOW (PLACE + 0x10000)                 // nothing is mapped before it, nor behind it
#define WINDOW_PAGES 8

// Registers: x1 to x15 hold anything; x16 to x27 point somewhere; x28 and x29 are wild; x30 is of sequences; x31 is where to go on after
// a jump to where no code is.
enum { ANY = 1, ANY_COUNT = 15, POINTER = 16, POINTER_COUNT = 12, WILD = 28, SEQUENCE = 30, ONWARD = 31 };

// ---- Encodings

static inline u32 r_type(u32 word, int rd, int rs1, int rs2) { return word | rd << 7 | rs1 << 15 | rs2 << 20; }
static inline u32 i_type(u32 word, int rd, int rs1, int imm) { return word | rd << 7 | rs1 << 15 | (u32)imm << 20; }
static inline u32 s_type(u32 word, int rs2, int rs1, int imm) {
    return word | rs2 << 20 | rs1 << 15 | ((u32)imm >> 5 & 127) << 25 | ((u32)imm & 31) << 7;
}
static inline u32 b_type(u32 word, int rs1, int rs2, int imm) {
    return word | rs1 << 15 | rs2 << 20 | ((u32)imm >> 12 & 1) << 31 | ((u32)imm >> 5 & 63) << 25 | ((u32)imm >> 1 & 15) << 8 | ((u32)imm >> 11 & 1) << 7;
}

// ---- In and out

struct stream_context {
    reg x[32];              // x[0] is the pc
    reg status, caller[16];
};
extern struct stream_context stream;
// What the supervisor's handler keeps: a hash of the traps that it took, and how many it takes yet.
extern reg supervisor_seen[4];
extern const char stream_supervisor[], stream_supervisor_end[], stream_leave[];
void stream_resume(reg mode);
