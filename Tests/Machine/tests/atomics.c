// Atomics: which fault each raises on pages that are not there, not readable, not writable; reservations over traps and addresses.
// build: atomics
// build: atomics-rv32 rv32

#include "machine.h"

FRAGMENT(reserve, "lr.w a0, (a0)");
FRAGMENT(pair, "lr.w a2, (a0)\nsc.w a0, a1, (a0)");
FRAGMENT(conditional, "sc.w a0, a1, (a0)");
FRAGMENT(pair_apart, "lr.w a2, (a0)\nli a3, 64\nadd a3, a3, a0\nsc.w a0, a1, (a3)");
FRAGMENT(twice, "lr.w a2, (a0)\nsc.w a2, a1, (a0)\nsc.w a0, a1, (a0)");
FRAGMENT(amoswap, "amoswap.w a0, a1, (a0)");
FRAGMENT(amoadd, "amoadd.w a0, a1, (a0)");
FRAGMENT(amoand, "amoand.w.aq a0, a1, (a0)");
FRAGMENT(amoor, "amoor.w.rl a0, a1, (a0)");
FRAGMENT(amoxor, "amoxor.w.aqrl a0, a1, (a0)");
FRAGMENT(amomin, "amomin.w a0, a1, (a0)");
FRAGMENT(amomax, "amomax.w a0, a1, (a0)");
FRAGMENT(amominu, "amominu.w a0, a1, (a0)");
FRAGMENT(amomaxu, "amomaxu.w a0, a1, (a0)");
FRAGMENT(to_zero, "amoswap.w x0, a1, (a0)");

static const char *const amos[] = {amoswap, amoadd, amoand, amoor, amoxor, amomin, amomax, amominu, amomaxu, to_zero};

void test(void) {
    paging(XLEN == 64 ? 3 : 2);
    csr_write(satp, satp(0));
    static const pte flags[] = {0, V | R | AD, V | X | AD, V | R | X | AD, V | R | W | AD, V | R | W | AD | FOR_U};
    for (unsigned f = 0; f < sizeof flags / sizeof *flags; f++) {
        section_number("page", flags[f]);
        map(PLACE, SCRATCH, 0, flags[f]);
        fence_all();
        observe_trap("lr", S, reserve, PLACE, 0);
        expect("lr", last.cause, f == 0 || f == 2 || f == 5 ? LOAD_PAGE : ECALL_S);
        for (unsigned i = 0; i < sizeof amos / sizeof *amos; i++) {
            *(volatile u32 *)(reg)SCRATCH = 0x80000001;
            observe_trap("amo", S, amos[i], PLACE, 0x7fff0003);
            observe("memory", *(volatile u32 *)(reg)SCRATCH);
            expect("amo", last.cause, f == 4 ? ECALL_S : STORE_PAGE);
            if (f != 4) { expect("tval", last.tval, PLACE); expect("memory", *(volatile u32 *)(reg)SCRATCH, 0x80000001); }
        }
    }
    section("reservations");
    map(PLACE, SCRATCH, 0, V | R | W | AD);
    fence_all();
    observe_trap("pair", S, pair, PLACE, 5);
    expect("pair", last.a0, 0);
    observe_trap("apart", S, pair_apart, PLACE, 5);
    expect("apart", last.a0, 1);
    observe_trap("twice", S, twice, PLACE, 5);
    expect("twice", last.a0, 1);
    section("no reservation");
    // It fails, or is refused as the store that it would be.
    static const reg refused[] = {PLACE + PAGE, 0x40000000, PLACE};
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
        run(S, pair, SCRATCH, 5);
        run(S, conditional, refused[i], 5);
        expect("a store's cause", last.cause == ECALL_S || last.cause == STORE_PAGE || last.cause == STORE_ACCESS, 1);
        if (last.cause == ECALL_S) expect("fails", last.a0, 1);
    }
    section("holes and devices");
    csr_write(satp, 0);
    for (unsigned i = 0; i < sizeof amos / sizeof *amos; i++) {
        observe_trap("hole", S, amos[i], 0x40000000, 1);
        expect("hole", last.cause, STORE_ACCESS);
    }
    observe_trap("hole", S, reserve, 0x40000000, 1);
    expect("hole", last.cause, LOAD_ACCESS);
}
