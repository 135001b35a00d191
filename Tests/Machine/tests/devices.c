// Accesses to devices: sizes, offsets, loops, atomics, fetches, tables, from each privilege and through page tables.
// build: devices
// build: devices-rv32 rv32

#include "machine.h"

FRAGMENT(load1, "lbu a0, 0(a0)");
FRAGMENT(load2, "lhu a0, 0(a0)");
FRAGMENT(load4, "lw a0, 0(a0)");
FRAGMENT(store4, "sw a1, 0(a0)");
FRAGMENT(jump, "jr a0");
FRAGMENT(set_clear, "li a3, 300\nli a4, 0\n1: li a2, 1\nsw a2, 0(a0)\nlw a2, 0(a0)\nadd a4, a4, a2\nsw zero, 0(a0)\nlw a2, 0(a0)\nadd a4, a4, a2\n"
    "addi a3, a3, -1\nbnez a3, 1b\nmv a0, a4");
FRAGMENT(mixed, "li a3, 300\nli a4, 0\n1: andi a2, a3, 1\nsw a2, 0(a0)\nlw a5, 0(a1)\nlw a2, 0(a0)\nadd a5, a5, a2\nsw a5, 0(a1)\naddi a3, a3, -1\n"
    "bnez a3, 1b\nlw a0, 0(a1)");

void test(void) {
    static const reg modes[] = {M, S, U};
    section("sizes");
    for (int m = 0; m < 3; m++) {
        MSIP = 1;
        observe_trap("4", modes[m], load4, CLINT, 0);
        expect("lw", last.a0, 1);
        MSIP = 0;
        observe_trap("4", modes[m], load4, CLINT, 0);
        expect("lw", last.a0, 0);
        set_mtimecmp(0x1122334455667788);
        observe_trap("low", modes[m], load4, CLINT + 0x4000, 0);
        expect("low", (u32)last.a0, 0x55667788);
        observe_trap("high", modes[m], load4, CLINT + 0x4004, 0);
        expect("high", (u32)last.a0, 0x11223344);
    }
    section("in loops");
    for (int m = 0; m < 3; m++) {
        observe_trap("alone", modes[m], set_clear, CLINT, 0);
        expect("sum", last.a0, 300);
        *(volatile u32 *)(reg)SCRATCH = 0;
        observe_trap("with memory", modes[m], mixed, CLINT, SCRATCH);
        expect("sum", last.a0, 150);
        // The same code over memory first, then over the device.
        observe_trap("memory", modes[m], mixed, SCRATCH + 64, SCRATCH);
        observe_trap("device", modes[m], mixed, CLINT, SCRATCH);
        expect("sum", last.a0, 450);
    }
    MSIP = 0;
    section("through page tables");
    for (int l = XLEN == 64 ? 3 : 2; l <= (XLEN == 64 ? 5 : 2); l++) {
        paging(l);
        csr_write(satp, satp(0));
        pte *e = map(PLACE, CLINT, 0, V | RWX | AD);
        fence_all();
        observe_trap("device", S, set_clear, PLACE, 0);
        expect("sum", last.a0, 300);
        observe_trap("fetch", S, jump, PLACE, 0);
        expect("fetch", last.cause, FETCH_ACCESS);
        expect("tval", last.tval, PLACE);
        *e = leaf(SCRATCH, V | RWX | AD);
        fence_all();
        observe_trap("memory", S, mixed, PLACE, SCRATCH + 64);
        *e = leaf(0x40000000, V | RWX | AD);
        fence_all();
        observe_trap("hole", S, load4, PLACE, 0);
        expect("hole", last.cause, LOAD_ACCESS);
        expect("tval", last.tval, PLACE);
        observe_trap("hole", S, store4, PLACE, 0);
        expect("hole", last.cause, STORE_ACCESS);
        csr_write(satp, 0);
    }
    section("tables in devices");
    paging(XLEN == 64 ? 3 : 2);
    *entry(PLACE, 1) = leaf(CLINT, V);
    csr_write(satp, satp(0));
    fence_all();
    run(S, load4, PLACE, 0);
    expect("refused", last.cause == LOAD_ACCESS || last.cause == LOAD_PAGE, 1);
    csr_write(satp, 0);
    // The root itself in a hole: every fetch fails.
#if XLEN == 64
    csr_write(satp, (reg)8 << 60 | 0x40000);
#else
    csr_write(satp, (reg)1 << 31 | 0x40000);
#endif
    observe_trap("root in a hole", S, CODE(ECALL), 0, 0);
    expect("root in a hole", last.cause, FETCH_ACCESS);
    csr_write(satp, 0);
    section("other sizes");
    for (int m = 0; m < 3; m++) {
        MSIP = 1;
        observe_trap("1", modes[m], load1, CLINT, 0);
        observe_trap("2", modes[m], load2, CLINT, 0);
        MSIP = 0;
    }
}
