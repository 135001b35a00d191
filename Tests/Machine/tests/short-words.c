// Every 16-bit pattern as an instruction, by a user and by machine mode.
// build: short-words
// build: short-words-rv32 rv32

#include "words.h"

void test(void) {
    fill_sea();
    status = TW;
    for (u32 word = 0; word < 0x10000; word++) {
        if ((word & 0x3ff) == 0) section_number("user", word);
        if ((word & 3) == 3 || is_short_loop(word)) continue;
        run_word(U, word | 1 << 16);  // c.nop behind it
        if (word == 0) { expect("all zeros", last.cause, ILLEGAL); expect("epc", last.epc, (reg)&SEA[SEA_WORDS / 2]); }
    }
    observe_memory();
}
