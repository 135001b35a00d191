// Svnapot and Svpbmt: their encodings, the reserved ones, and what the extensions' absence makes of them.
// build: pagetypes
// build: pagetypes-none cpu=svnapot=off,svpbmt=off

#include "machine.h"

FRAGMENT(load, "lw a0, 0(a0)");
FRAGMENT(store, "sw a1, 0(a0)");
FRAGMENT(jump, "jr a0");

#define N ((pte)1 << 63)
#define TYPE(n) ((pte)(n) << 61)
#define FIRST ((reg)0x80800000)

void test(void) {
    for (int i = 0; i < 512; i++) *(volatile u32 *)(FIRST + i * PAGE) = ECALL | i << 20 << 0;
    for (int pbmte = 0; pbmte < 2; pbmte++)
        for (int l = 3; l <= 5; l++) {
            csr_write(satp, 0);
            csr_clear(0x30a, (reg)1 << 62);
            if (pbmte) csr_set(0x30a, (reg)1 << 62);
            section_number(csr_read(0x30a) >> 62 & 1 ? "PBMTE, levels" : "no PBMTE, levels", l);
            paging(l);
            csr_write(satp, satp(0));
            for (int level = 0; level < 2; level++)
                for (int type = 0; type < 8; type++)
                    for (int low = 0; low < 32; low++) {
                        // The low bits of the page number say the size of a naturally aligned group; 8 is the only one defined.
                        reg bits = 12 + 9 * level;
                        pte e = leaf(FIRST + ((reg)low << 12), V | RWX | AD) | TYPE(type);
                        for (int page = 0; page < 3; page++) {
                            reg address = PLACE + ((reg)(page == 0 ? 0 : page == 1 ? 5 : 15) << bits);
                            *entry(address, level) = e;
                            fence_all();
                            observe_trap("load", S, load, address + 0x40, 0);
                            observe_trap("store", S, store, address + 0x80, page);
                            observe_trap("load of the page's name", S, load, address, 0);
                            int grouped = type >= 4, memory_type = type & 3;
                            if (memory_type == 3) expect("reserved memory type", last.cause, LOAD_PAGE);
                            if (grouped && ((low & 15) != 8 || level)) expect("reserved group", last.cause, LOAD_PAGE);
                            if (type == 4 && level == 0 && (low & 15) == 8 && last.cause == ECALL_S) {
                                reg index = (low & 16) | (address >> 12 & 15);
                                expect("page of a group", (last.a0 & 0xffffffff) >> 20, index);
                            }
                        }
                    }
        }
}
