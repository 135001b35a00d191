// PMP: locked entries bind machine mode and keep their CSRs until reset.
// build: pmp-locks
// build: pmp-locks-rv32 rv32

#include "machine.h"

FRAGMENT(load, "lw a0, 0(a0)");
FRAGMENT(store, "sw a1, 0(a0)");
FRAGMENT(jump, "jr a0");
FRAGMENT(load_as, "csrw mstatus, a1\nlw a0, 0(a0)");

// Entry n, locked: 16 bytes of RAM with the rights n.
static reg place(int n) { return SCRATCH + n * 64; }

#define WITH_ENTRY(n, op, value) case n: op(pmpaddr##n, value); break
static void set_address(int n, reg value) {
    switch (n) {
        WITH_ENTRY(0, csr_write, value); WITH_ENTRY(1, csr_write, value); WITH_ENTRY(2, csr_write, value); WITH_ENTRY(3, csr_write, value);
        WITH_ENTRY(4, csr_write, value); WITH_ENTRY(5, csr_write, value); WITH_ENTRY(6, csr_write, value); WITH_ENTRY(7, csr_write, value);
    }
}
static reg address(int n) {
    run(M, CODE(CSRRS(A0, 0x3b0 + n, ZERO)), 0, 0);
    return last.a0;
}
static reg config(void) {
#if XLEN == 64
    return csr_read(pmpcfg0);
#else
    return csr_read(pmpcfg0) ^ csr_read(pmpcfg1) << 1;
#endif
}
static void set_config(int n, reg value) {
#if XLEN == 64
    csr_set(pmpcfg0, value << 8 * n);
#else
    if (n < 4) csr_set(pmpcfg0, value << 8 * n); else csr_set(pmpcfg1, value << 8 * (n - 4));
#endif
}

void test(void) {
    csr_write(pmpcfg0, 0);
    run(M, CODE(CSRRW(ZERO, 0x3af, ZERO)), 0, 0);
    csr_write(pmpaddr15, -1);
#if XLEN == 64
    csr_write(pmpcfg2, (reg)0x1f << 56);
#else
    csr_write(pmpcfg3, (reg)0x1f << 24);
#endif
    section("locked");
    for (int n = 0; n < 8; n++) {
        if ((n & 3) == 2) continue;
        set_address(n, place(n) >> 2 | 1);
        set_config(n, 0x98 | n);
        fence_all();
    }
    observe("config", config());
    for (int n = 0; n < 8; n++) {
        if ((n & 3) == 2) continue;
        static const reg modes[] = {M, S, U};
        for (int m = 0; m < 3; m++)
            for (int word = -4; word < 20; word += 4) {
                reg a = place(n) + word;
                int in = word >= 0 && word < 16;
                observe_trap("load", modes[m], load, a, 0);
                expect("load", last.cause == LOAD_ACCESS, in && !(n & 1));
                observe_trap("store", modes[m], store, a, ECALL);
                expect("store", last.cause == STORE_ACCESS, in && !(n & 2));
                observe_trap("fetch", modes[m], jump, a, 0);
                expect("fetch", last.cause == FETCH_ACCESS, in && !(n & 4));
            }
    }
    section("kept");
    for (int n = 0; n < 8; n++) {
        if ((n & 3) == 2) continue;
        reg before = address(n);
        set_address(n, 0);
        expect("address", address(n), before);
    }
    reg before = config();
    csr_write(pmpcfg0, 0);
    observe("config", config());
#if XLEN == 64
    expect("config", config(), before);
#else
    (void)before;
#endif
    section("a locked TOR keeps the address below it");
    csr_write(pmpaddr8, 0x1234);
    csr_write(pmpaddr9, 0x1235);
#if XLEN == 64
    csr_set(pmpcfg2, 0x88 << 8);
#else
    csr_set(pmpcfg2, 0x88 << 8);
#endif
    csr_write(pmpaddr8, 0);
    observe("below", csr_read(pmpaddr8));
    expect("below", csr_read(pmpaddr8), 0x1234);
    csr_write(pmpaddr9, 0);
    expect("itself", csr_read(pmpaddr9), 0x1235);
    section("MPRV");
    for (int n = 0; n < 8; n++) {
        if ((n & 3) == 2) continue;
        for (reg mode = 0; mode < 4; mode++) if (mode != 2) observe_trap("as", M, load_as, place(n), MPRV | MPP(mode));
    }
}
