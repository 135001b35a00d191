// PMP: write masks, every shape, borders inside a page, priorities, for fetch, load, store and page-table fetch.
// build: pmp-shapes
// build: pmp-shapes-rv32 rv32

#include "machine.h"

FRAGMENT(load1, "lbu a0, 0(a0)");
FRAGMENT(load4, "lw a0, 0(a0)");
FRAGMENT(store1, "sb a1, 0(a0)");
FRAGMENT(store4, "sw a1, 0(a0)");
FRAGMENT(reserve, "lr.w a0, (a0)");
FRAGMENT(swap, "amoswap.w a0, a1, (a0)");
FRAGMENT(jump, "jr a0");
#if XLEN == 64
FRAGMENT(load8, "ld a0, 0(a0)");
FRAGMENT(store8, "sd a1, 0(a0)");
#endif

#define PMPADDR_BITS (XLEN == 64 ? ((reg)1 << (XLEN - 10)) - 1 : (reg)-1)

enum { OFF = 0, TOR = 8, NA4 = 16, NAPOT = 24, L = 128 };
static const struct { const char *what, *code; int size; reg need; } accesses[] = {
    {"lb", load1, 1, R}, {"lw", load4, 4, R}, {"sb", store1, 1, W}, {"sw", store4, 4, W}, {"lr", reserve, 4, R}, {"amo", swap, 4, R | W},
    {"fetch", jump, 4, X},
#if XLEN == 64
    {"ld", load8, 8, R}, {"sd", store8, 8, W},
#endif
};

// Entries 0 to 2 are the test's, 3 lets everything else through.
static void set(int i, reg address, reg config) {
    reg a = address;
    if (i == 0) csr_write(pmpaddr0, a);
    else if (i == 1) csr_write(pmpaddr1, a);
    else csr_write(pmpaddr2, a);
    csr_clear(pmpcfg0, (reg)0xff << 8 * i);
    csr_set(pmpcfg0, config << 8 * i);
    fence_all();
}

static reg napot(reg start, reg size) { return start >> 2 | (size / 8 - 1); }

static void fill(void) {
    for (int i = -64; i < 64; i += 4) *(volatile u32 *)(reg)(SCRATCH + PAGE + i) = ECALL;
    fence_code();
}

// Tries around [start, end), which has `rights`, its neighbourhood `outside`.
static void around(reg start, reg end, reg rights, reg outside) {
    for (int side = 0; side < 2; side++)
        for (int distance = -16; distance < 16; distance += 4)
            for (unsigned i = 0; i < sizeof accesses / sizeof *accesses; i++)
                for (reg mode = U; mode <= M; mode++) {
                    if (mode == 2) continue;
                    reg address = (side ? end : start) + distance;
                    if (address % accesses[i].size) continue;
                    fill();
                    observe_trap(accesses[i].what, mode, accesses[i].code, address, ECALL);
                    int touches = address + accesses[i].size > start && address < end;
                    int within = address >= start && address + accesses[i].size <= end;
                    // An entry that matches a part of an access makes it fail, in every mode.
                    reg granted = mode == M ? RWX : touches ? rights : outside;
                    int allowed = (!touches || within) && (granted & accesses[i].need) == accesses[i].need;
                    reg fault = accesses[i].need == X ? FETCH_ACCESS : accesses[i].need == R ? LOAD_ACCESS : STORE_ACCESS;
                    if (accesses[i].need == X && mode != M && within && !allowed) expect("epc", last.epc, address);
                    expect(accesses[i].what, last.cause == fault, !allowed);
                    if (!allowed && accesses[i].need != X) expect("tval", last.tval, address);
                }
}

void test(void) {
    csr_write(pmpaddr3, -1);
    csr_write(pmpcfg0, (reg)0x1f << 24);
    section("pmpaddr");
    for (int bit = 0; bit < XLEN; bit++) {
        for (reg config = 0; config < 32; config += 8) {
            set(0, (reg)1 << bit, config);
            observe("pmpaddr0", csr_read(pmpaddr0) & PMPADDR_BITS);
            if (csr_read(pmpaddr0) & ~PMPADDR_BITS) expect("bits above the physical address", 1, 0);
            observe("pmpcfg0", csr_read(pmpcfg0));
        }
        set(0, 0, 0);
    }
    section("pmpcfg");
    for (reg config = 0; config < 32; config++) {
        if ((config & RWX >> 1) == W >> 1 || (config & RWX >> 1) == (W | X) >> 1) continue;  // reserved
        csr_clear(pmpcfg0, 0xff);
        csr_set(pmpcfg0, config);
        observe("pmpcfg0", csr_read(pmpcfg0));
        csr_write(pmpcfg2, config << 8);
        observe("pmpcfg2", csr_read(pmpcfg2));
    }
    csr_write(pmpcfg2, 0);
    csr_write(pmpcfg0, (reg)0x1f << 24);
    static const reg rights[] = {0, R, R | W, X, R | X, RWX};
    reg middle = SCRATCH + PAGE;
    for (unsigned r = 0; r < sizeof rights / sizeof *rights; r++) {
        reg bits = rights[r] >> 1;
        section_number("NA4", bits);
        set(0, middle >> 2, NA4 | bits);
        around(middle, middle + 4, rights[r], RWX);
        section_number("NAPOT", bits);
        for (reg size = 8; size <= 2 * PAGE; size *= size < 64 ? 2 : 16) {
            reg start = middle & ~(size - 1);
            set(0, napot(start, size), NAPOT | bits);
            around(start, start + size, rights[r], RWX);
        }
        section_number("TOR", bits);
        for (reg length = 4; length <= PAGE; length = length * 4 + 4) {
            set(0, middle >> 2, OFF);
            set(1, (middle + length) >> 2, TOR | bits);
            around(middle, middle + length, rights[r], RWX);
        }
        set(1, 0, OFF);
    }
    section("TOR, empty and backwards");
    for (int backwards = 0; backwards < 2; backwards++) {
        set(0, middle >> 2, OFF);
        set(1, (middle >> 2) - backwards, TOR);
        around(0x81000000, 0x81000000, 0, RWX);
        fill();
        run(S, load4, middle, 0);
        expect("an empty region is none", last.cause, ECALL_S);
    }
    section("the lowest number counts");
    for (unsigned first = 0; first < 6; first++)
        for (unsigned second = 0; second < 6; second++) {
            set(0, napot(middle, 16), NAPOT | rights[first] >> 1);
            set(1, napot(SCRATCH, 2 * PAGE), NAPOT | rights[second] >> 1);
            around(middle, middle + 16, rights[first], rights[second]);
        }
    set(0, 0, OFF); set(1, 0, OFF);
    section("without an entry");
    set(2, 0, OFF);
    csr_write(pmpcfg0, 0);
    fence_all();
    run(S, CODE(ECALL), 0, 0);  // the oracle reports it of the MRET
    expect("S has nothing", last.cause, FETCH_ACCESS);
    observe_trap("M", M, CODE(ECALL), 0, 0);
    expect("M has all", last.cause, ECALL_M);
}
