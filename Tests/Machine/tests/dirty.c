// The accessed and dirty bits: who sets them and when, or which fault stands for them, by menvcfg.ADUE.
// build: dirty
// build: dirty-svade cpu=svade=on,svadu=on
// build: dirty-rv32 rv32

#include "machine.h"

FRAGMENT(load, "lw a0, 0(a0)");
FRAGMENT(store, "sw a1, 0(a0)");
FRAGMENT(jump, "jr a0");
FRAGMENT(reserve, "lr.w a0, (a0)");
FRAGMENT(swap, "amoswap.w a0, a1, (a0)");
FRAGMENT(failed, "sc.w a0, a1, (a0)");  // nothing is reserved
FRAGMENT(both, "lr.w a2, (a0)\nsc.w a0, a1, (a0)");

static const struct { const char *what, *code; } accesses[] = {
    {"load", load}, {"store", store}, {"fetch", jump}, {"lr", reserve}, {"amo", swap}, {"lr, sc", both}};

static void all(void) {
    for (int initial = 0; initial < 4; initial++)
        for (int rights = 1; rights < 8; rights++)
            for (unsigned i = 0; i < sizeof accesses / sizeof *accesses; i++)
                for (reg mode = U; mode <= S; mode++) {
                    *(volatile u32 *)(reg)SCRATCH = ECALL;
                    pte flags = V | (pte)rights << 1 | (initial & 1 ? A : 0) | (initial & 2 ? D : 0) | (mode == U ? FOR_U : 0);
                    pte *e = map(PLACE, SCRATCH, 0, flags);
                    fence_all();
                    observe_trap(accesses[i].what, mode, seen_by(mode, accesses[i].code), PLACE, 5);
                    int faulted = last.cause == LOAD_PAGE || last.cause == STORE_PAGE || last.cause == FETCH_PAGE;
                    // A may come early: the oracle sets it by the load of an AMO whose store is refused.
                    pte early = faulted && accesses[i].code == swap ? A : 0;
                    observe("entry", *e & 0x3ff & ~early);
                    expect("no bit is lost", *e & flags, flags);
                    expect("no bit comes but A and D", *e & 0x3ff & ~(flags | AD), 0);
                    if (faulted && accesses[i].code != both) expect("a fault sets nothing", (*e ^ flags) & 0x3ff & ~early, 0);
                    else if (!faulted) expect("an access has set A", *e & A, A);
                }
}

static void across(void) {
    for (int first = 0; first < 4; first++)
        for (int second = 0; second < 8; second++) {
            pte *a = map(PLACE, SCRATCH, 0, V | R | W | (first & 1 ? A : 0) | (first & 2 ? D : 0));
            pte *b = map(PLACE + PAGE, SCRATCH + PAGE, 0, (second & 4 ? 0 : V) | R | W | (second & 1 ? A : 0) | (second & 2 ? D : 0));
            fence_all();
            observe_trap("store across", S, store, PLACE + PAGE - 2, 5);
            if (second & 4) { if (first == 3) expect("the second page", last.tval, PLACE + PAGE); }
            else { observe("first", *a & 0x3ff); observe("second", *b & 0x3ff); }
        }
}

void test(void) {
    const int first = XLEN == 64 ? 3 : 2, final = XLEN == 64 ? 5 : 2;
    for (int update = 0; update < 2; update++)
        for (int l = first; l <= final; l++) {
            csr_write(satp, 0);
#if XLEN == 64
            csr_clear(0x30a, (reg)1 << 61);
            if (update) csr_set(0x30a, (reg)1 << 61);
            section_number(csr_read(0x30a) >> 61 & 1 ? "updated, levels" : "not updated, levels", l);
#else
            csr_clear(0x31a, (reg)1 << 29);
            if (update) csr_set(0x31a, (reg)1 << 29);
            section_number(csr_read(0x31a) >> 29 & 1 ? "updated, levels" : "not updated, levels", l);
#endif
            paging(l);
            csr_write(satp, satp(0));
            all();
            across();
        }
    section("sc that fails");
    pte *e = map(PLACE, SCRATCH, 0, V | R | W | A);
    fence_all();
    run(S, CODE(0x1005202f | 0 << 7 /* lr.w x0, (a0): another reservation */), SCRATCH, 0);
    run(S, failed, PLACE, 5);
    expect("D or not: either is allowed", (*e & ~(pte)AD) == leaf(SCRATCH, V | R | W), 1);
}
