// MPRV: machine mode's loads and stores as MPP, at once after each change, and nothing else; mret and sret clear it.
// build: mprv
// build: mprv-rv32 rv32

#include "machine.h"

#define BARE ((reg)SCRATCH)

// Loads with each privilege in turn, without a fence between.
FRAGMENT(turn, "csrs mstatus, a1\nli t0, 3 << 11\nlw a2, 0(a0)\ncsrc mstatus, t0\nlw a3, 0(a0)\ncsrc mstatus, a1\nmv a0, a2\nmv a1, a3");
FRAGMENT(store_and_look, "sw a1, 0(a0)\nli a2, 1 << 17\ncsrc mstatus, a2\nlw a0, 0(a0)");

void test(void) {
    volatile u32 *ram = (volatile u32 *)(reg)SCRATCH;
    const int first = XLEN == 64 ? 3 : 2, final = XLEN == 64 ? 5 : 2;
    for (int l = first; l <= final; l++) {
        section_number("levels", l);
        paging(l);
        ram[0] = 0x11111111; ram[1024] = 0x22222222;
        map(PLACE, SCRATCH, 0, V | R | W | AD);
        map(PLACE + PAGE, SCRATCH + PAGE, 0, V | R | W | AD | FOR_U);
        map(PLACE + 2 * PAGE, SCRATCH + PAGE, 0, V | R | X | AD | FOR_U);
        map(PLACE + 3 * PAGE, SCRATCH + PAGE, 0, V | X | AD);
        csr_write(satp, satp(0));
        fence_all();
        for (int sum = 0; sum < 2; sum++)
            for (int mxr = 0; mxr < 2; mxr++)
                for (int page = 0; page < 5; page++) {
                    status = MPRV | (sum ? SUM : 0) | (mxr ? MXR : 0);
                    reg address = page == 4 ? BARE : PLACE + page * PAGE;
                    observe_trap("lw, as U", M, CODE(CSRRC(ZERO, 0x300, A1), 0x00052503), address, MPP(3));
                    observe_trap("lw, as S", M, CODE(CSRRC(ZERO, 0x300, A1), 0x00b5d593 /* srli a1, a1, 11 */, 0x0015f593 /* andi a1, a1, 1 */,
                        0x00b59593 /* slli a1, a1, 11 */, CSRRS(ZERO, 0x300, A1), 0x00052503), address, MPP(3));
                    observe_trap("lw, as M", M, CODE(CSRRS(ZERO, 0x300, A1), 0x00052503), address, MPP(3));
                    observe_trap("sw, as U", M, CODE(CSRRC(ZERO, 0x300, A1), 0x00b52023 /* sw a1, 0(a0) */), address, MPP(3));
                    observe_trap("amo, as U", M, CODE(CSRRC(ZERO, 0x300, A1), 0x00b5252f /* amoadd.w a0, a1, (a0) */), address, MPP(3));
                }
        status = MPRV;
        run(M, CODE(CSRRC(ZERO, 0x300, A1), 0x00052503), PLACE, MPP(3));
        expect("a supervisor's page as U", last.cause, LOAD_PAGE);
        expect("tval", last.tval, PLACE);
        expect("handler", last.by, M);
        run(M, CODE(CSRRC(ZERO, 0x300, A1), 0x00052503), PLACE + PAGE, MPP(3));
        expect("a user's page as U", last.a0, ram[1024]);
        // One address, two views, no fence between: MPP M finds RAM as it is, MPP U the page of the tables.
        *entry(BARE, levels == 2 ? 1 : 2) = 0;
        map(BARE, SCRATCH + PAGE, 0, V | R | W | AD | FOR_U);
        fence_all();
        ram[0] = 0x11111111; ram[1024] = 0x22222222;
        status = 0;
        observe_trap("two views", M, turn, BARE, MPRV | MPP(3));
        expect("as M", last.a0, 0x11111111);
        expect("as U", last.a1, 0x22222222);
        status = MPRV;
        observe_trap("a store in one", M, store_and_look, BARE, 7);
        expect("the other", last.a0, ram[0]);
        csr_write(satp, 0);
    }
    section("cleared by returns");
    status = MPRV;
    observe_run("to U", U, CODE(ECALL), 0, 0);
    expect("by mret to U", last.status & MPRV, 0);
    observe_run("to S", S, CODE(ECALL), 0, 0);
    expect("by mret to S", last.status & MPRV, 0);
    observe_run("to M", M, CODE(ECALL), 0, 0);
    expect("not by mret to M", last.status & MPRV, MPRV);
    status = MPRV | SPP;
    observe_run("sret to S", M, CODE(0x00000297, 0x00c28293, CSRRW(ZERO, 0x141, T0), 0x10200073), 0, 0);
}
