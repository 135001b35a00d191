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

// Bits that the manual leaves to the machine, or says to be 0 where the oracle keeps them.
static reg unwritten(u32 csr) {
    switch (csr) {
    case 0x300: case 0x100: return XLEN == 64 ? (reg)((u64)15 << 32) : 0;  // SXL, UXL: the oracle has RV32 modes
    case 0x305: case 0x105: return 2;                                      // reserved modes of the vector
    case 0x302: return ~(reg)0xb3ff;                                       // causes of other extensions
    case 0x303: case 0x304: return ~(reg)0xaaa;                            // interrupts of other extensions
    case 0x30a: return XLEN == 64 ? (reg)((u64)1 << 60) : 0;               // CDE, without Smcdeleg
    case 0x31a: return 1 << 28;
    case 0x180: return XLEN == 64 ? (reg)((u64)15 << 40) : 0;              // pages above 2^52
    }
    return 0;
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
            reg value = pattern(n) & ~unwritten(csr);
            if (csr == 0x30a || csr == 0x10a) value = (value & ~(reg)0x20) | (value & 0x10) << 1;  // CBIE 2 is reserved
            if (csr == 0x141 || csr == 0x341) {
                run(M, CODE(CSRRW(ZERO, csr, A0), CSRRS(A0, csr, ZERO)), value, 0);
                expect("bit 0", last.a0 & 1, 0);
                value &= ~(reg)1;
            }
            run(M, CODE(CSRRW(T0, csr, A0), CSRRS(A0, csr, ZERO), CSRRW(ZERO, csr, T0)), value, 0);
            observe("written", last.a0);
            run(M, CODE(CSRRW(T0, csr, ZERO), CSRRS(ZERO, csr, A0), CSRRS(A0, csr, ZERO), CSRRW(ZERO, csr, T0)), value, 0);
            observe("set", last.a0);
            run(M, CODE(CSRRS(T0, csr, ZERO), CSRRW(ZERO, csr, A1), CSRRC(ZERO, csr, A0), CSRRS(A0, csr, ZERO), CSRRW(ZERO, csr, T0)),
                value, ~unwritten(csr) & ~(reg)(csr == 0x141 || csr == 0x341));
            observe("cleared", last.a0);
        }
    }
}
