// Leaves of every size in every mode, the 256 sets of low bits against access, privilege, SUM and MXR, tables and reserved bits.
// build: paging
// build: paging-svade cpu=svade=on,svadu=off
// build: paging-rv32 rv32

#include "machine.h"

FRAGMENT(load, "lw a0, 0(a0)");
FRAGMENT(store, "sw a1, 0(a0)");
FRAGMENT(jump, "jr a0");
FRAGMENT(reserve, "lr.w a0, (a0)");
FRAGMENT(swap, "amoswap.w a0, a1, (a0)");

static const struct { const char *what, *code; reg fault; } accesses[] = {
    {"load", load, LOAD_PAGE}, {"store", store, STORE_PAGE}, {"fetch", jump, FETCH_PAGE}, {"lr", reserve, LOAD_PAGE}, {"amo", swap, STORE_PAGE}};
#define ACCESSES (sizeof accesses / sizeof *accesses)
#define FRESH ((volatile u32 *)(reg)SCRATCH)

static void prepare(void) {
    FRESH[0] = ECALL;
    FRESH[1] = ECALL;
}

static void try(unsigned i, reg mode, reg address) {
    prepare();
    observe_trap(accesses[i].what, mode, seen_by(mode, accesses[i].code), address, 5);
}

static void start(int count) {
    csr_write(satp, 0);
    paging(count);
    csr_write(satp, satp(0));
    fence_all();
}

static void low_bits(void) {
    for (reg flags = 0; flags < 256; flags++)
        for (reg mode = U; mode <= S; mode++)
            for (int bits = 0; bits < 4; bits++)
                for (unsigned i = 0; i < ACCESSES; i++) {
                    status = (bits & 1 ? SUM : 0) | (bits & 2 ? MXR : 0);
                    pte *e = map(PLACE, SCRATCH, 0, flags);
                    fence_all();
                    try(i, mode, PLACE);
                    // A may come early: the oracle sets it by the load of an AMO whose store is refused.
                    observe("entry", *e & 0x3ff & (i == 4 && last.cause == STORE_PAGE ? ~A : -1));
                    // What no mode of A and D updates lets through or refuses.
                    reg need = i == 0 || i == 3 ? R : i == 2 ? X : i == 1 ? W : R | W;
                    int readable = (flags & need) == need || (need == R && bits & 2 && flags & X);
                    int shaped = flags & V && (flags & (R | X)) && (flags & (R | W)) != W;
                    int owned = mode == U ? flags & FOR_U : !(flags & FOR_U) || (bits & 1 && i != 2);
                    if (!(readable && shaped && owned)) expect("refused", last.cause, accesses[i].fault);
                    else if ((flags & AD) == AD) expect("allowed", last.cause == accesses[i].fault, 0);
                }
    status = 0;
}

static void sizes(void) {
    for (int level = 0; level < levels; level++) {
        reg bits = 12 + level * (XLEN == 64 ? 9 : 10), size = (reg)1 << bits;
        // The first address of its kind above PLACE whose upper tables are free.
        reg address = level < 2 ? PLACE + 0x10000000 : size * (level == 2 ? 5 : 1);
        u64 physical = bits < 26 ? SCRATCH : (u64)RAM >> bits << bits;
        map(address, physical, level, V | RWX | AD);
        fence_all();
        reg inside = address + (reg)(SCRATCH - physical);
        for (unsigned i = 0; i < ACCESSES; i++) try(i, S, inside);
        run(S, load, inside, 0);
        prepare();
        run(S, load, inside, 0);
        expect("through a leaf of each size", last.a0, FRESH[0] & 0xffffffff);
        for (unsigned i = 0; i < ACCESSES; i++) try(i, S, address + size - 4);
        // Misaligned: each low bit of the page number that the level must have as zero.
        for (int bit = 12; bit < (int)bits; bit++) {
            map(address, physical | (u64)1 << bit, level, V | RWX | AD);
            fence_all();
            for (unsigned i = 0; i < 3; i++) {
                try(i, S, inside);
                expect("misaligned leaf", last.cause, accesses[i].fault);
            }
        }
        *entry(address, level) = 0;
        fence_all();
    }
}

// Entries that point on: flags that a table must not have, a table at the last level, chains into themselves.
static void tables(void) {
    pte *upper = entry(PLACE, 1), kept;
    map(PLACE, SCRATCH, 0, V | RWX | AD);
    kept = *upper;
    for (reg flags = 0; flags < 1024; flags++) {
        if (flags & (R | W | X)) continue;
        *upper = kept | flags;
        fence_all();
        try(0, S, PLACE);
    }
    *upper = kept;
    map(PLACE, SCRATCH, 0, V);
    fence_all();
    try(0, S, PLACE);
    expect("pointer at the last level", last.cause, LOAD_PAGE);
    static const u64 nowhere[] = {0x40000000, 0x0, 0x30000000, 0xfffff000, XLEN == 64 ? 0xfffffffffff000 : 0x3fffff000};
    for (unsigned n = 0; n < 5; n++)
        for (unsigned i = 0; i < ACCESSES; i++) {
            *upper = leaf(nowhere[n], V);
            fence_all();
            try(i, S, PLACE);
            *upper = kept;
            map(PLACE, nowhere[n], 0, V | RWX | AD);
            fence_all();
            try(i, S, PLACE);
        }
    *upper = kept;
    fence_all();
}

#if XLEN == 64
static void high_bits(void) {
    for (int bit = 54; bit < 64; bit++)
        for (unsigned i = 0; i < 3; i++) {
            pte *e = map(PLACE, SCRATCH, 0, V | RWX | AD);
            *e |= (pte)1 << bit;
            fence_all();
            try(i, S, PLACE);
            if (bit < 61) expect("reserved", last.cause, accesses[i].fault);
            *e = leaf(SCRATCH, V | RWX | AD);
            pte *upper = entry(PLACE, 1), kept = *upper;
            *upper |= (pte)1 << bit;
            fence_all();
            try(i, S, PLACE);
            expect("in a pointer", last.cause, accesses[i].fault);
            *upper = kept;
            fence_all();
        }
}

static void canonical(void) {
    int bits = 12 + 9 * levels;
    map(PLACE, SCRATCH, 0, V | RWX | AD);
    reg highest = (reg)-PAGE;
    map(highest, SCRATCH, 0, V | RWX | AD);
    fence_all();
    for (unsigned i = 0; i < ACCESSES; i++) {
        try(i, S, highest);
        expect("the highest page", last.cause == accesses[i].fault, 0);
        for (int bit = bits - 1; bit < 64; bit++) {
            try(i, S, PLACE | (reg)1 << bit);
            if (bit >= bits) { expect("not canonical", last.cause, accesses[i].fault); expect("tval", last.tval, PLACE | (reg)1 << bit); }
            try(i, S, highest & ~((reg)1 << bit));
        }
        try(i, S, PLACE | (reg)-1 << bits);
        try(i, S, PLACE | (reg)-1 << (bits - 1));
    }
}
#endif

void test(void) {
    const int first = XLEN == 64 ? 3 : 2, final = XLEN == 64 ? 5 : 2;
    for (int l = first; l <= final; l++) {
        start(l); section_number("low bits", l); low_bits();
        start(l); section_number("sizes", l); sizes();
        start(l); section_number("tables", l); tables();
#if XLEN == 64
        start(l); section_number("high bits", l); high_bits();
        start(l); section_number("canonical", l); canonical();
#endif
    }
}
