// Which of the 4,096 CSR numbers exist, for each privilege: read, set with nothing, written.
// build: csr-presence
// build: csr-presence-virt machine=virt
// build: csr-presence-rv32 rv32

#include "machine.h"

static int is_read_only(u32 csr) { return csr >> 10 == 3; }

// Writing these in mere passing changes how the test itself runs.
static int is_risky(u32 csr) {
    return csr == 0x305 || csr == 0x300 || csr == 0x180 || csr == 0x747 || csr == 0x757 || (csr >= 0x3a0 && csr < 0x3f0)
        || csr == 0x7a1 || csr == 0x301 || csr == 0x341;
}

// The oracle's `spike` has no time.
static int is_of_time(u32 csr) {
    return !ON_VIRT && (csr == 0xc01 || csr == 0xc81 || csr == 0x14d || csr == 0x15d);
}

static void presence(reg mode) {
    for (u32 csr = 0; csr < 4096; csr++) {
        if (is_of_time(csr)) continue;
        run(mode, CODE(CSRRS(A0, csr, ZERO)), 0, 0);
        int reads = last.cause != ILLEGAL;
        expect("lowest privilege", reads && mode < (csr >> 8 & 3), 0);
        run(mode, CODE(CSRRS(ZERO, csr, A0)), 0, 0);
        int sets = last.cause != ILLEGAL;
        expect("write of a read-only CSR", sets && is_read_only(csr), 0);
        int writes = 2;
        if (!is_risky(csr)) {
            run(mode, CODE(CSRRS(T0, csr, ZERO), CSRRW(T1, csr, T0)), 0, 0);
            writes = last.cause != ILLEGAL;
        }
        if (reads | sets | (writes & 1)) observe("csr << 8 | read, set, write", csr << 8 | reads << 4 | sets << 2 | writes);
    }
}

void test(void) {
    static const char *const names[] = {"user", "supervisor", 0, "machine"};
    for (reg mode = U; mode <= M; mode++) {
        if (!names[mode]) continue;
        section(names[mode]);
        presence(mode);
    }
    // With everything let through that machine mode can let through.
    csr_write(mcounteren, -1);
    csr_write(scounteren, -1);
    section("user, counters on");
    presence(U);
    section("supervisor, counters on");
    presence(S);
    status = FS(3);
    section("user, FS on");
    presence(U);
    status = TVM;
    section("supervisor, TVM");
    presence(S);
}
