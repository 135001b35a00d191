// Which of several exceptions of one instruction is raised.
// build: exception-order
// build: exception-order-rv32 rv32

#include "machine.h"

FRAGMENT(load, "lw a0, 0(a0)");
FRAGMENT(store, "sw a1, 0(a0)");
FRAGMENT(reserve, "lr.w a0, (a0)");
FRAGMENT(swap, "amoswap.w a0, a1, (a0)");
FRAGMENT(jump, "jr a0");
static const struct { const char *what, *code; } accesses[] = {{"load", load}, {"store", store}, {"lr", reserve}, {"amo", swap}, {"fetch", jump}};

// Places: missing, unreadable, read only, of users, a hole, a device, refused by PMP, with a table refused by PMP.
enum { MISSING, UNREADABLE, READ_ONLY, OF_USERS, HOLE, DEVICE, REFUSED, PLACES };

void test(void) {
    paging(XLEN == 64 ? 3 : 2);
    map(PLACE + UNREADABLE * PAGE, SCRATCH, 0, V | X | AD);
    map(PLACE + READ_ONLY * PAGE, SCRATCH, 0, V | R | AD);
    map(PLACE + OF_USERS * PAGE, SCRATCH, 0, V | RWX | AD | FOR_U);
    map(PLACE + HOLE * PAGE, 0x40000000, 0, V | RWX | AD);
    map(PLACE + DEVICE * PAGE, CLINT, 0, V | RWX | AD);
    map(PLACE + REFUSED * PAGE, SCRATCH + PAGE, 0, V | RWX | AD);
    csr_write(pmpcfg0, 0);
    csr_write(pmpaddr0, (SCRATCH + PAGE) >> 2 | (PAGE / 8 - 1));
    csr_write(pmpaddr1, -1);
    csr_write(pmpcfg0, 0x1f18);
    csr_write(satp, satp(0));
    fence_all();
    for (int place = 0; place < PLACES; place++) {
        section_number("place", place);
        for (unsigned i = 0; i < sizeof accesses / sizeof *accesses; i++)
            for (int offset = 0; offset < 4; offset++) {
                if (place == DEVICE && offset) continue;  // what a device says to a part of a word is its own
                if (place == DEVICE && accesses[i].code == swap) continue;
                observe_trap(accesses[i].what, S, accesses[i].code, PLACE + place * PAGE + offset, 0);
                if (place == MISSING && offset == 0) expect("missing", last.cause == LOAD_PAGE || last.cause == STORE_PAGE || last.cause == FETCH_PAGE, 1);
            }
    }
    section("across, first and second");
    for (int first = 0; first < PLACES; first++)
        for (int second = 0; second < PLACES; second++) {
            if (first == DEVICE || second == DEVICE) continue;
            static const u64 frames[] = {0, SCRATCH, SCRATCH, SCRATCH, 0x40000000, CLINT, SCRATCH + PAGE};
            static const pte flags[] = {0, V | X | AD, V | R | AD, V | RWX | AD | FOR_U, V | RWX | AD, V | RWX | AD, V | RWX | AD};
            map(PLACE + 0x100000, frames[first], 0, flags[first]);
            map(PLACE + 0x100000 + PAGE, frames[second], 0, flags[second]);
            fence_all();
            for (unsigned i = 0; i < 2; i++) {
                // Where both pages refuse, one by its entry and one by what is behind it, either may be said.
                int refused1 = first == HOLE || first == REFUSED;
                if (refused1) { run(S, accesses[i].code, PLACE + 0x100000 + PAGE - 2, 0); continue; }
                observe_trap(accesses[i].what, S, accesses[i].code, PLACE + 0x100000 + PAGE - 2, 0);
                // The first page's fault comes first.
                int fault1 = first == MISSING || first == OF_USERS || (i ? first == READ_ONLY || first == UNREADABLE : first == UNREADABLE);
                if (fault1) { expect("cause", last.cause, i ? STORE_PAGE : LOAD_PAGE); expect("tval", last.tval, PLACE + 0x100000 + PAGE - 2); }
            }
        }
    section("csr before privilege");
    static const reg modes[] = {M, S, U};
    for (int m = 0; m < 3; m++) {
        observe_trap("read-only of M", modes[m], seen_by(modes[m], CODE(CSRRW(0, 0xf14, 0))), 0, 0);
        expect("illegal", last.cause, ILLEGAL);
    }
}
