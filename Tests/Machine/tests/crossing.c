// Accesses and instructions that lie on two pages: each half faulting by itself, half executed, tval.
// build: crossing
// build: crossing-rv32 rv32

#include "machine.h"

FRAGMENT(load2, "lhu a0, 0(a0)");
FRAGMENT(load4, "lw a0, 0(a0)");
FRAGMENT(store2, "sh a1, 0(a0)");
FRAGMENT(store4, "sw a1, 0(a0)");
FRAGMENT(jump, "jr a0");
#if XLEN == 64
FRAGMENT(load8, "ld a0, 0(a0)");
FRAGMENT(store8, "sd a1, 0(a0)");
#endif

#define FIRST ((volatile u8 *)(reg)SCRATCH)
#define SECOND ((volatile u8 *)(reg)(SCRATCH + 2 * PAGE))   // not behind the first
#define EDGE (PLACE + PAGE)

static const struct { const char *what, *code; int size, writes; } accesses[] = {
    {"lh", load2, 2, 0}, {"lw", load4, 4, 0}, {"sh", store2, 2, 1}, {"sw", store4, 4, 1},
#if XLEN == 64
    {"ld", load8, 8, 0}, {"sd", store8, 8, 1},
#endif
};

static void data(reg mode) {
    pte owner = mode == U ? FOR_U : 0;
    static const pte flags[] = {V | R | W | AD, V | R | AD, 0, V | X | AD};
    for (unsigned f = 0; f < 4; f++)
        for (unsigned s = 0; s < 4; s++) {
            map(PLACE, (reg)FIRST, 0, flags[f] | owner);
            map(EDGE, (reg)SECOND, 0, flags[s] | owner);
            fence_all();
            for (unsigned i = 0; i < sizeof accesses / sizeof *accesses; i++)
                for (int before = 0; before <= accesses[i].size; before++) {
                    for (int n = 0; n < 8; n++) { FIRST[PAGE - 8 + n] = 0x10 + n; SECOND[n] = 0x20 + n; }
                    reg address = EDGE - before;
                    observe_trap(accesses[i].what, mode, seen_by(mode, accesses[i].code), address, (reg)0xa1a2a3a4a5a6a7a8);
                    for (int n = 0; n < 8; n++) { observe("first", FIRST[PAGE - 8 + n]); observe("second", SECOND[n]); }
                    pte need = accesses[i].writes ? W : R;
                    int bad1 = before > 0 && !(flags[f] & need), bad2 = before < accesses[i].size && !(flags[s] & need);
                    if (bad1 | bad2) {
                        expect("cause", last.cause, accesses[i].writes ? STORE_PAGE : LOAD_PAGE);
                        expect("tval", last.tval, bad1 ? address : before ? EDGE : address);
                        // Nothing of a store that faults on its second page: what the translator must keep, not the manual.
                        for (int n = 0; n < 8; n++) expect("no byte moved", FIRST[PAGE - 8 + n] << 8 | SECOND[n], (0x10 + n) << 8 | (0x20 + n));
                    } else expect("cause", last.cause, mode == U ? ECALL_U : ECALL_S);
                }
        }
}

static void fetch(reg mode) {
    pte owner = mode == U ? FOR_U : 0;
    static const pte flags[] = {V | RWX | AD, V | R | W | AD, 0};
    for (unsigned f = 0; f < 3; f++)
        for (unsigned s = 0; s < 3; s++)
            for (int short_first = 0; short_first < 2; short_first++) {
                map(PLACE, (reg)FIRST, 0, flags[f] | owner);
                map(EDGE, (reg)SECOND, 0, flags[s] | owner);
                fence_all();
                // li a0, 77 (or c.li a0, 7; c.li a1, 8) over the edge, ecall.
                volatile u16 *a = (volatile u16 *)(FIRST + PAGE - 2), *b = (volatile u16 *)SECOND;
                if (short_first) { a[0] = 0x451d; b[0] = 0x45a1; } else { a[0] = 0x0513; b[0] = 0x04d0; }
                b[1] = 0x0073; b[2] = 0;
                fence_code();
                for (int again = 0; again < 2; again++) {
                    observe_trap("over the edge", mode, seen_by(mode, jump), EDGE - 2, 0);
                    if (!(flags[f] & X)) { expect("tval", last.tval, EDGE - 2); expect("epc", last.epc, EDGE - 2); }
                    else if (!(flags[s] & X)) {
                        expect("cause", last.cause, FETCH_PAGE);
                        expect("tval", last.tval, EDGE);
                        expect("epc", last.epc, short_first ? EDGE : EDGE - 2);
                    } else expect("value", last.a0, short_first ? 7 : 77);
                }
                if ((flags[f] & X) && !short_first) {
                    // The second half elsewhere: other bytes, at once after the fence.
                    map(EDGE, (reg)SECOND + PAGE, 0, V | RWX | AD | owner);
                    volatile u16 *c = (volatile u16 *)(SECOND + PAGE);
                    c[0] = 0x0580; c[1] = 0x0073; c[2] = 0;  // li a0, 88
                    fence_code();
                    asm volatile("sfence.vma %0" :: "r"(EDGE) : "memory");
                    observe_trap("remapped", mode, seen_by(mode, jump), EDGE - 2, 0);
                    expect("remapped", last.a0, 88);
                }
            }
}

void test(void) {
    const int first = XLEN == 64 ? 3 : 2, final = XLEN == 64 ? 5 : 2;
    for (int l = first; l <= final; l++) {
        paging(l);
        csr_write(satp, satp(0));
        section_number("data, S", l); data(S);
        section_number("data, U", l); data(U);
        section_number("fetch, S", l); fetch(S);
        section_number("fetch, U", l); fetch(U);
        csr_write(satp, 0);
    }
}
