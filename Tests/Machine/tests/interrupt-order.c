// Which of several interrupts is taken: priorities, delegation, global enables, for all sets of pending ones.
// build: interrupt-order
// build: interrupt-order-rv32 rv32

#include "machine.h"

FRAGMENT(wait, "1: addi a0, a0, -1\nbnez a0, 1b");

// The manual's order, by number: MEI, MSI, MTI, SEI, SSI, STI. MEI has no source here.
static const int order[] = {MSI, MTI, SEI, SSI, STI};

static void pend(int set) {
    csr_write(mip, (set & 4 ? 1 << SEI : 0) | (set & 8 ? 1 << SSI : 0) | (set & 16 ? 1 << STI : 0));
    MSIP = set & 1;
    set_mtimecmp(set & 2 ? 0 : -1);
}

// The interrupt that is taken, or -1: of those for machine mode first.
static int taken(int set, reg delegated, reg mode, reg mstatus) {
    int machine_on = mode < M || (mstatus & MPIE), supervisor_on = mode < S || (mode == S && (mstatus & SIE));
    for (int i = 0; machine_on && i < 5; i++) if (set >> i & 1 && !(delegated >> order[i] & 1)) return order[i];
    for (int i = 0; supervisor_on && i < 5; i++) if (set >> i & 1 && delegated >> order[i] & 1) return order[i];
    return -1;
}

static int is_lowest(int number, int set) {
    for (int i = 0; i < 5; i++) if (set >> i & 1 && order[i] < number) return 0;
    return 1;
}

void test(void) {
    static const reg modes[] = {U, S, M};
    for (int delegate = 0; delegate < 8; delegate++) {
        section_number("delegated", delegate);
        csr_write(mideleg, (delegate & 1 ? 1 << SEI : 0) | (delegate & 2 ? 1 << SSI : 0) | (delegate & 4 ? 1 << STI : 0));
        for (int set = 0; set < 32; set++)
            for (int m = 0; m < 3; m++)
                for (int enable = 0; enable < 4; enable++) {
                    status = (enable & 1 ? SIE : 0) | (enable & 2 ? MPIE : 0);
                    pend(set);
                    csr_write(mie, -1);
                    int wanted = taken(set, csr_read(mideleg), modes[m], status);
                    // The oracle takes the lowest number (deviations.txt).
                    if (wanted < 0 || is_lowest(wanted, set)) observe_run("taken", modes[m], wait, 200, 0);
                    else run(modes[m], wait, 200, 0);
                    csr_write(mie, 0);
                    if (wanted < 0) expect("none", last.cause & INTERRUPT, 0);
                    else {
                        expect("cause", last.cause, INTERRUPT | wanted);
                        expect("epc", last.epc, (reg)wait);
                    }
                }
    }
    // Each enable alone lets only its own through.
    section("enabled one by one");
    csr_write(mideleg, 0);
    status = MPIE;
    for (int i = 0; i < 5; i++) {
        pend(31);
        csr_write(mie, (reg)1 << order[i]);
        observe_run("taken", M, wait, 200, 0);
        csr_write(mie, 0);
        expect("cause", last.cause, INTERRUPT | order[i]);
    }
    pend(0);
}
