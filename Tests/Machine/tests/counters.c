// Counters: who may read them, by mcounteren and scounteren; that they go on, stop, and are written.
// build: counters machine=virt
// build: counters-rv32 rv32 machine=virt

#include "machine.h"

static void gates(u32 csr) {
    for (int gate = 0; gate < 4; gate++) {
        csr_write(mcounteren, gate & 1 ? (reg)1 << (csr & 31) : ~((reg)1 << (csr & 31)));
        csr_write(scounteren, gate & 2 ? (reg)1 << (csr & 31) : ~((reg)1 << (csr & 31)));
        for (reg mode = U; mode <= M; mode++) {
            if (mode == 2) continue;
            run(mode, CODE(CSRRS(A0, csr, ZERO)), 0, 0);
            int read = last.cause != ILLEGAL;
            observe("read", read);
            if ((csr & 31) < 3) expect("read", read, mode == M || (gate & 1 && (mode == S || gate & 2)));
            run(mode, CODE(CSRRW(ZERO, csr, A0)), 0, 0);
            expect("written", last.cause, ILLEGAL);
        }
    }
}

void test(void) {
    section("gates");
    for (u32 csr = 0xc00; csr < 0xc20; csr++) gates(csr);
    section("gates of the high halves");
    for (u32 csr = 0xc80; csr < 0xca0; csr++) {
        if (XLEN == 64) {
            run(M, CODE(CSRRS(A0, csr, ZERO)), 0, 0);
            expect("none of RV64", last.cause, ILLEGAL);
        } else gates(csr);
    }
    section("masks");
    for (int bit = 0; bit < XLEN; bit++) {
        csr_write(mcounteren, (reg)1 << bit); observe("mcounteren", csr_read(mcounteren));
        csr_write(scounteren, (reg)1 << bit); observe("scounteren", csr_read(scounteren));
        csr_write(mcountinhibit, (reg)1 << bit); observe("mcountinhibit", csr_read(mcountinhibit));
    }
    csr_write(mcountinhibit, 0);
    section("counting");
    static const u32 counters[] = {0xb00, 0xb02};
    for (int i = 0; i < 2; i++) {
        // It may go on in steps that are longer than a few instructions.
        int tries = 0;
        do run(M, CODE(CSRRS(A0, counters[i], ZERO), 0x13, 0x13, 0x13, CSRRS(A1, counters[i], ZERO)), 0, 0);
        while (last.a1 == last.a0 && ++tries < 1000);
        expect("goes on", (sreg)(last.a1 - last.a0) > 0, 1);
        csr_write(mcountinhibit, 5);
        run(M, CODE(CSRRS(A0, counters[i], ZERO), 0x13, 0x13, 0x13, CSRRS(A1, counters[i], ZERO)), 0, 0);
        expect("stopped", last.a1, last.a0);
        run(M, CODE(CSRRW(ZERO, counters[i], A0), CSRRS(A0, counters[i], ZERO)), (reg)0x123456789a, 0);
        expect("written while stopped", last.a0, (reg)0x123456789a);
        csr_write(mcountinhibit, 0);
        run(M, CODE(CSRRW(ZERO, counters[i], A0), CSRRS(A0, counters[i], ZERO)), 1000, 0);
        expect("written", last.a0 - 1000 < 1000000000u, 1);
    }
}
