// Debug triggers: how many, of which types, and address matches of execution, loads and stores by privilege.
// build: triggers
// build: triggers-rv32 rv32

#include "machine.h"

FRAGMENT(target, "nop\nnop\nnop");
FRAGMENT(load1, "lbu a0, 0(a0)");
FRAGMENT(load4, "lw a0, 0(a0)");
FRAGMENT(store1, "sb a1, 0(a0)");
FRAGMENT(store4, "sw a1, 0(a0)");

#define tselect 0x7a0
#define tdata1 0x7a1
#define tdata2 0x7a2
#define TYPE(n) ((reg)(n) << (XLEN - 4))
enum { T_LOAD = 1, T_STORE = 2, T_EXECUTE = 4, T_U = 8, T_S = 16, T_M = 64 };  // of mcontrol

void test(void) {
    section("tselect");
    for (reg n = 0; n < 8; n++) {
        csr_write(tselect, n);
        observe("tselect", csr_read(tselect));
        observe("tdata1", csr_read(tdata1));
    }
    csr_write(tselect, -1);
    observe("tselect", csr_read(tselect));
    csr_write(tselect, 0);
    static const struct { const char *what, *code; reg kind; int size; } accesses[] = {
        {"lb", load1, T_LOAD, 1}, {"lw", load4, T_LOAD, 4}, {"sb", store1, T_STORE, 1}, {"sw", store4, T_STORE, 4}};
    static const reg modes[] = {M, S, U}, bits[] = {T_M, T_S, T_U};
    for (int type = 2; type < 7; type += 4) {
        section_number("execution, type", type);
        for (int m = 0; m < 3; m++)
            for (int on = 0; on < 3; on++) {
                csr_write(tdata2, (reg)target + 4);
                // mcontrol6 keeps its privileges elsewhere: bits 3 and 4 are U and S, 6 is M, as in mcontrol.
                csr_write(tdata1, TYPE(type) | T_EXECUTE | bits[on]);
                observe("tdata1", csr_read(tdata1));
                observe_trap("execution", modes[m], target, 0, 0);
                // Machine mode without interrupts is not bound to match: the trigger would be reentrant.
                if (m && type == 2) expect("execution", last.cause == BREAKPOINT, on == m);
                if (last.cause == BREAKPOINT) { expect("epc", last.epc, (reg)target + 4); expect("tval", last.tval, (reg)target + 4); }
                csr_write(tdata1, TYPE(type));
            }
        section_number("accesses, type", type);
        for (int m = 1; m < 3; m++)
            for (unsigned i = 0; i < 4; i++)
                for (int kind = 0; kind < 4; kind++)
                    for (int at = -4; at < 8; at++) {
                        csr_write(tdata2, SCRATCH + 64);
                        csr_write(tdata1, TYPE(type) | kind | T_S | T_U);
                        *(volatile u32 *)(reg)(SCRATCH + 64) = 0x11111111;
                        reg address = SCRATCH + 64 + at;
                        run(modes[m], accesses[i].code, address, 5);
                        // What begins there matches; what only touches it may.
                        if (at == 0) {
                            expect(accesses[i].what, last.cause == BREAKPOINT, (kind & accesses[i].kind) != 0);
                            if (last.cause == BREAKPOINT) { expect("tval", last.tval, address); expect("epc", last.epc, (reg)accesses[i].code); }
                            if (last.cause == BREAKPOINT) expect("before the access", *(volatile u32 *)(reg)(SCRATCH + 64), 0x11111111);
                        } else if (at < -3 || at > 0) expect("elsewhere", last.cause == BREAKPOINT, 0);
                        csr_write(tdata1, TYPE(type));
                    }
    }
    // Nothing else is offered than to compare for equality and to raise an exception: match, chain and action read as 0.
    for (int type = 2; type < 7; type += 4) {
        section_number("ways to match, type", type);
        for (reg match = 0; match < 16; match++) {
            csr_write(tdata2, (reg)target + 4);
            csr_write(tdata1, TYPE(type) | T_EXECUTE | T_S | match << 7);
            observe("tdata1", csr_read(tdata1));
            observe("tdata2", csr_read(tdata2));
            observe_trap("execution", S, target, 0, 0);
            csr_write(tdata2, (reg)target + 7);
            observe_trap("execution before", S, target, 0, 0);
            csr_write(tdata1, TYPE(type));
        }
        for (int bit = 7; bit < 16; bit++) {
            csr_write(tdata1, TYPE(type) | T_EXECUTE | (reg)1 << bit);
            observe("bit", csr_read(tdata1));
            csr_write(tdata1, TYPE(type) | T_LOAD | (reg)1 << bit);
            observe("bit", csr_read(tdata1));
        }
        csr_write(tdata1, TYPE(type));
    }
    section("taken away");
    csr_write(tdata2, (reg)target + 4);
    csr_write(tdata1, TYPE(2) | T_EXECUTE | T_S);
    run(S, target, 0, 0);
    expect("there", last.cause, BREAKPOINT);
    csr_write(tdata1, TYPE(2));
    run(S, target, 0, 0);
    expect("gone", last.cause, ECALL_S);
    csr_write(tdata1, TYPE(2) | T_EXECUTE | T_S);
    csr_write(tdata1, 0);
    run(S, target, 0, 0);
    expect("gone by 0", last.cause, ECALL_S);
}
