// sfence.vma by address, address space, both, neither, against leaf size and G: what a fence is about is seen anew.
// What no fence was for may be seen either way, and is not in the hash.
// build: fences
// build: fences-sinval -DSINVAL
// build: fences-rv32 rv32

#include "machine.h"

FRAGMENT(load, "lw a0, 0(a0)");
FRAGMENT(load_twice, "lw a2, 0(a0)\nlw a0, 0(a0)");
FRAGMENT(jump, "jr a0");

// Kinds of fence: of everything, of an address, of an address space, of both.
enum { ALL, ADDRESS, SPACE, BOTH };

static void fence_of(int kind, reg address, reg asid) {
#ifdef SINVAL
    register reg a0 asm("a0") = address, a1 asm("a1") = asid;
    asm volatile(".word 0x18000073" ::: "memory");       // sfence.w.inval
    switch (kind) {
    case ALL: asm volatile(".word 0x16000073" ::: "memory"); break;
    case ADDRESS: asm volatile(".word 0x16050073" :: "r"(a0) : "memory"); break;
    case SPACE: asm volatile(".word 0x16b00073" :: "r"(a1) : "memory"); break;
    case BOTH: asm volatile(".word 0x16b50073" :: "r"(a0), "r"(a1) : "memory"); break;
    }
    asm volatile(".word 0x18100073" ::: "memory");       // sfence.inval.ir
#else
    switch (kind) {
    case ALL: asm volatile("sfence.vma" ::: "memory"); break;
    case ADDRESS: asm volatile("sfence.vma %0" :: "r"(address) : "memory"); break;
    case SPACE: asm volatile("sfence.vma x0, %0" :: "r"(asid) : "memory"); break;
    case BOTH: asm volatile("sfence.vma %0, %1" :: "r"(address), "r"(asid) : "memory"); break;
    }
#endif
}

// Word n of each 4 MiB of RAM from SCRATCH on says where it is.
static volatile u32 *old_place(int level) { return (volatile u32 *)(reg)(SCRATCH + (level ? 0x400000 : 0)); }
static volatile u32 *new_place(int level) { return (volatile u32 *)(reg)(SCRATCH + (level ? 0x800000 : PAGE)); }

static void matrix(void) {
    for (int level = 0; level < 2; level++)
        for (int global = 0; global < 2; global++)
            for (int which = 0; which < 4; which++)
                for (int same_space = 0; same_space < 2; same_space++)
                    for (int offset = 0; offset < 3; offset++) {
                        reg size = (reg)1 << (12 + level * (XLEN == 64 ? 9 : 10));
                        reg inside = offset == 0 ? 0 : offset == 1 ? size - 4 : size / 2 & ~(reg)3;
                        pte flags = V | RWX | AD | (global ? G : 0);
                        *(volatile u32 *)((reg)old_place(level) + inside) = 0x01d01d;
                        *(volatile u32 *)((reg)new_place(level) + inside) = 0x4e4;
                        csr_write(satp, satp(5));
                        pte *e = map(PLACE, (reg)old_place(level), level, flags);
                        fence_all();
                        run(S, load, PLACE + inside, 0);
                        expect("before", last.a0, 0x01d01d);
                        *e = leaf((reg)new_place(level), flags);
                        // Fences for a part of a leaf are for all of it.
                        reg va = PLACE + (size - 4 - inside), asid = same_space ? 5 : 6;
                        fence_of(which, va, asid);
                        run(S, load_twice, PLACE + inside, 0);
                        int covered = which == ALL || which == ADDRESS || (same_space && !global);
                        if (covered) expect("after its fence", last.a0, 0x4e4);
                        else expect("old or new", last.a0 == 0x4e4 || last.a0 == 0x01d01d, 1);
                        if (covered) observe("value", last.a0);
                        *e = 0;
                        fence_all();
                        run(S, load, PLACE + inside, 0);
                        expect("unmapped", last.cause, LOAD_PAGE);
                    }
}

// An address space keeps its own mappings while another runs, without any fence.
static void spaces(void) {
    *old_place(0) = 0x01d01d; *new_place(0) = 0x4e4;
    pte *e = map(PLACE, (reg)old_place(0), 0, V | RWX | AD);
    for (reg asid = 1; asid < 40; asid++) {
        csr_write(satp, satp(asid));
        fence_of(SPACE, 0, asid);
        *e = leaf((reg)(asid & 1 ? old_place(0) : new_place(0)), V | RWX | AD);
        fence_of(SPACE, 0, asid);
        observe_trap("fresh", S, load, PLACE, 0);
        expect("fresh", last.a0, asid & 1 ? 0x01d01d : 0x4e4);
    }
    // Bare and back: at once, and without a fence.
    csr_write(satp, 0);
    observe_trap("bare", S, load, SCRATCH, 0);
    observe_trap("bare", S, load, PLACE, 0);
    expect("bare", last.cause, LOAD_ACCESS);
    csr_write(satp, satp(1));
    run(S, load, PLACE, 0);
    expect("back", last.cause, ECALL_S);
}

// Fetches see remappings too: two pages with different code.
static void code(void) {
    old_place(0)[0] = 0x00100513; old_place(0)[1] = ECALL;  // li a0, 1
    new_place(0)[0] = 0x00200513; new_place(0)[1] = ECALL;  // li a0, 2
    fence_code();
    pte *e = map(PLACE, (reg)old_place(0), 0, V | RWX | AD);
    for (int turn = 0; turn < 100; turn++) {
        *e = leaf((reg)(turn & 1 ? new_place(0) : old_place(0)), V | RWX | AD);
        fence_of(turn & 2 ? ADDRESS : ALL, PLACE, 0);
        run(S, jump, PLACE, 0);
        expect("code", last.a0, turn & 1 ? 2 : 1);
        observe("code", last.a0);
    }
    // Not there, not executable, for users: each is noticed.
    static const pte flags[] = {0, V | R | W | AD, V | RWX | AD | FOR_U, V | RWX | D};
    for (unsigned i = 0; i < 4; i++) {
        *e = leaf((reg)old_place(0), flags[i]);
        fence_of(ADDRESS, PLACE, 0);
        observe_trap("no code", S, jump, PLACE, 0);
        if (i < 3) { expect("cause", last.cause, FETCH_PAGE); expect("epc", last.epc, PLACE); }
        *e = leaf((reg)old_place(0), V | RWX | AD);
        fence_of(ADDRESS, PLACE, 0);
        observe_trap("code again", S, jump, PLACE, 0);
        expect("code again", last.a0, 1);
    }
}

static void odd_addresses(void) {
    pte *e = map(PLACE, (reg)old_place(0), 0, V | RWX | AD);
    for (int bit = 0; bit < XLEN; bit++) { fence_of(ADDRESS, (reg)1 << bit, 0); fence_of(BOTH, ~((reg)1 << bit), (reg)1 << bit); }
    *e = leaf((reg)new_place(0), V | RWX | AD);
    fence_of(BOTH, PLACE + 2049, (reg)(XLEN == 64 ? 0xffffffffffff0001 : 0xfffffe01));  // only ASIDLEN bits count
    run(S, load, PLACE, 0);
    expect("high bits of an ASID are ignored", last.a0, *new_place(0));
}

void test(void) {
    const int first = XLEN == 64 ? 3 : 2, final = XLEN == 64 ? 5 : 2;
    for (int l = first; l <= final; l++) {
        csr_write(satp, 0);
        paging(l);
        csr_write(satp, satp(1));
        fence_all();
        section_number("matrix", l); matrix();
        section_number("spaces", l); spaces();
        section_number("code", l); code();
        section_number("odd addresses", l); csr_write(satp, satp(1)); odd_addresses();
        csr_write(satp, 0);
    }
}
