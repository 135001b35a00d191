// Random 32-bit words as instructions of a user and a supervisor, with and without floating point; the seed is fixed.
// build: long-words
// build: long-words-rv32 rv32

#include "words.h"

static u64 seed = 0x9e3779b97f4a7c15;

static u32 next(void) {
    seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17;
    return seed >> 16;
}

// Half of them with the major opcodes that mean something.
static u32 random_word(void) {
    static const u8 opcodes[] = {0x03, 0x07, 0x0f, 0x13, 0x17, 0x1b, 0x23, 0x27, 0x2f, 0x33, 0x37, 0x3b, 0x43, 0x47, 0x4b, 0x4f, 0x53, 0x63, 0x67, 0x6f, 0x73};
    u32 word = next() | 3, choice = next();
    if (choice & 1) word = (word & ~0x7f) | opcodes[(choice >> 8) % sizeof opcodes];
    if (choice & 6) word = (word & ~(31 << 15)) | (choice & 8 ? A0 : A1) << 15;
    return word;
}

static int is_endless(u32 word) {
    u32 opcode = word & 0x7f;
    if (opcode == 0x6f) return word >> 12 == 0;                        // jal to itself
    if (opcode == 0x63) return !(word & 0xfe000f80);                   // a branch to itself
    return 0;
}

// Whether a store-conditional without a reservation looks at its address is the machine's: atomics.c.
static int is_store_conditional(u32 word) { return (word & 0xf800607f) == 0x1800202f; }

// What tells the time, how much was executed or which machine this is, and what changes how the test runs.
static int is_apart(u32 word) {
    if ((word & 0x7f) != 0x73) return 0;
    return (word >> 12 & 3) != 0 || word == 0x10500073;                // CSRs: csr-*.c; wfi
}

static void words(const char *name, reg mode, int count) {
    for (int i = 0; i < count; i++) {
        if (i % 500 == 0) section_number(name, i / 500);
        u32 word = random_word();
        if (is_endless(word) || is_apart(word) || is_store_conditional(word)) continue;
        observe("word", word);
        run_word(mode, word);
    }
    observe_memory();
}

void test(void) {
    fill_sea();
    status = TW;
    words("user", U, 20000);
    status = TW | FS(1);
    words("user, floating point", U, 10000);
    status = TW | TVM | TSR;
    words("supervisor", S, 10000);
}
