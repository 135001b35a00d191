// Every synchronous exception from every privilege: cause, epc, tval, status, with and without delegation.
// build: exceptions
// build: exceptions-rv32 rv32

#include "machine.h"

FRAGMENT(plain, "nop");
FRAGMENT(breakpoint, "ebreak");
FRAGMENT(short_breakpoint, ".option rvc\nc.ebreak\nc.nop\n.option norvc");
FRAGMENT(zero_halfword, ".half 0, 0");
FRAGMENT(all_ones, ".word 0xffffffff");
FRAGMENT(unknown_row, ".word 0x0000007b");
FRAGMENT(short_illegal, ".half 0x0004, 0x0001");
FRAGMENT(machine_csr, "csrr a0, mscratch");
FRAGMENT(no_csr, "csrr a0, 0x8ff");
FRAGMENT(read_only_csr, "csrw mhartid, a0");
FRAGMENT(machine_return, "la a1, 1f\ncsrw mepc, a1\nmret\n1:");
FRAGMENT(load, "lw a0, 0(a0)");
FRAGMENT(store, "sw a1, 0(a0)");
FRAGMENT(load_reserved, "lr.w a0, (a0)");
FRAGMENT(store_conditional, "sc.w a0, a1, (a0)");
FRAGMENT(swap, "amoswap.w a0, a1, (a0)");
FRAGMENT(jump, "jr a0");
FRAGMENT(float_load, ".word 0x00052507");

#define HOLE 0x40000000u  // nothing is there

static void all(reg mode) {
    observe_run("plain", mode, plain, 0, 0);
    expect("ecall: cause", last.cause, mode == U ? ECALL_U : mode == S ? ECALL_S : ECALL_M);
    expect("ecall: tval", last.tval, 0);
    expect("ecall: epc", last.epc, (reg)plain + 4);
    observe_run("ebreak", mode, breakpoint, 0, 0);
    expect("ebreak: cause", last.cause, BREAKPOINT);
    observe_run("c.ebreak", mode, short_breakpoint, 0, 0);
    expect("c.ebreak: cause", last.cause, BREAKPOINT);
    observe_run("halfword 0", mode, zero_halfword, 0, 0);
    expect("halfword 0: cause", last.cause, ILLEGAL);
    observe_run("all ones", mode, all_ones, 0, 0);
    expect("all ones: cause", last.cause, ILLEGAL);
    expect("all ones: tval", last.tval == 0 || last.tval == 0xffffffff, 1);
    observe_run("unknown", mode, unknown_row, 0, 0);
    observe_run("short illegal", mode, short_illegal, 0, 0);
    observe_run("mscratch", mode, machine_csr, 0, 0);
    if (mode != M) expect("mscratch: cause", last.cause, ILLEGAL);
    observe_run("no such CSR", mode, no_csr, 0, 0);
    expect("no such CSR: cause", last.cause, ILLEGAL);
    observe_run("read-only CSR", mode, read_only_csr, 0, 0);
    expect("read-only CSR: cause", last.cause, ILLEGAL);
    observe_run("F without FS", mode, float_load, RAM, 0);
    expect("F without FS: cause", last.cause, ILLEGAL);
    if (mode != M) {
        observe_run("mret", mode, machine_return, 0, 0);
        expect("mret: cause", last.cause, ILLEGAL);
    }
    static const struct { const char *what; const char *code; reg cause; } accesses[] = {
        {"load", load, LOAD_ACCESS}, {"store", store, STORE_ACCESS}, {"lr", load_reserved, LOAD_ACCESS},
        {"sc", store_conditional, STORE_ACCESS}, {"amo", swap, STORE_ACCESS}, {"jump", jump, FETCH_ACCESS}};
    for (unsigned i = 0; i < sizeof accesses / sizeof *accesses; i++) {
        if (accesses[i].code == store_conditional) continue;  // may fail without an access: atomics.c
        observe_run(accesses[i].what, mode, accesses[i].code, HOLE, 1);
        expect(accesses[i].what, last.cause, accesses[i].cause);
        expect("tval", last.tval, HOLE);
        expect("epc", last.epc, accesses[i].code == jump ? HOLE : (reg)accesses[i].code);
    }
    observe_run("lr.w misaligned", mode, load_reserved, SCRATCH + 2, 0);
    observe_run("sc.w misaligned", mode, store_conditional, SCRATCH + 2, 0);
    observe_run("amo misaligned", mode, swap, SCRATCH + 2, 0);
}

static void modes(const char *const names[3]) {
    section(names[0]); all(M);
    section(names[1]); all(S);
    section(names[2]); all(U);
}

void test(void) {
    modes((const char *const[]){"machine", "supervisor", "user"});
    status = MPIE | SPIE | SPP;
    modes((const char *const[]){"machine, MPIE", "supervisor, SPIE and SPP", "user, SPIE and SPP"});
    status = SIE;
    csr_write(medeleg, ~((reg)1 << ILLEGAL));  // one way back to machine mode must stay
    modes((const char *const[]){"machine, delegated", "supervisor, delegated", "user, delegated"});
    for (int bit = 0; bit < 24; bit++) {
        section_number("medeleg bit", bit);
        csr_write(medeleg, (reg)1 << bit);
        observe("medeleg", csr_read(medeleg));
        all(U);
        all(S);
    }
}
