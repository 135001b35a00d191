// What stays of what is written to each CSR of machine mode: all ones, nothing, patterns, one bit at a time; then set and clear.
// build: csr-masks
// build: csr-masks-rv32 rv32

#include "machine.h"

#define BETWEEN(csr, low, high) ((csr) >= (low) && (csr) <= (high))

static int is_skipped(u32 csr) {
    return csr >> 10 == 3                                         // read-only
        || csr == 0x747 || csr == 0x757                           // mseccfg: what is set stays
        || BETWEEN(csr, 0x3a0, 0x3ef)                             // PMP: pmp.c
        || BETWEEN(csr, 0xb00, 0xb9f) || BETWEEN(csr, 0x320, 0x33f) || BETWEEN(csr, 0x720, 0x73f)  // counters count
        || BETWEEN(csr, 0x7a0, 0x7af)                             // triggers
        || csr == 0x344 || csr == 0x144                           // pending bits: interrupt-csrs.c
        || csr == 0x14d || csr == 0x15d                           // stimecmp: timers.c
        || csr == 0x015;                                          // entropy
}

static reg pattern(int n) {
    switch (n) {
    case 0: return 0;
    case 1: return -1;
    case 2: return (reg)0x5555555555555555;
    case 3: return (reg)0xaaaaaaaaaaaaaaaa;
    case 4: return (reg)0x123456789abcdef0;
    default: return (reg)1 << (n - 5);
    }
}

void test(void) {
    status = FS(3);
    for (u32 csr = 0; csr < 4096; csr++) {
        if (is_skipped(csr)) continue;
        run(M, CODE(CSRRS(A0, csr, ZERO)), 0, 0);
        if (last.cause == ILLEGAL) continue;
        section_number("csr", csr);
        observe("reset", csr == 0x342 || csr == 0x341 || csr == 0x305 || csr == 0x105 || csr == 0x340 ? 0 : last.a0);
        for (int n = 0; n < 5 + XLEN; n++) {
            reg value = pattern(n);
            run(M, CODE(CSRRW(T0, csr, A0), CSRRS(A0, csr, ZERO), CSRRW(ZERO, csr, T0)), value, 0);
            observe("written", last.a0);
            run(M, CODE(CSRRW(T0, csr, ZERO), CSRRS(ZERO, csr, A0), CSRRS(A0, csr, ZERO), CSRRW(ZERO, csr, T0)), value, 0);
            observe("set", last.a0);
            run(M, CODE(CSRRS(T0, csr, ZERO), CSRRW(ZERO, csr, A1), CSRRC(ZERO, csr, A0), CSRRS(A0, csr, ZERO), CSRRW(ZERO, csr, T0)),
                value, -1);
            observe("cleared", last.a0);
        }
    }
}
