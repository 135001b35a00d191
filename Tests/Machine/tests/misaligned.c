// Loads and stores at every offset, in a page and over two that lie together, and atomics that have to be aligned.
// build: misaligned
// build: misaligned-rv32 rv32

#include "machine.h"

FRAGMENT(lh, "lh a0, 0(a0)");
FRAGMENT(lhu, "lhu a0, 0(a0)");
FRAGMENT(lw, "lw a0, 0(a0)");
FRAGMENT(sh, "sh a1, 0(a0)");
FRAGMENT(sw, "sw a1, 0(a0)");
FRAGMENT(lr_w, "lr.w a0, (a0)");
FRAGMENT(sc_w, "sc.w a0, a1, (a0)");
FRAGMENT(amo_w, "amoxor.w a0, a1, (a0)");
#if XLEN == 64
FRAGMENT(lwu, "lwu a0, 0(a0)");
FRAGMENT(ld, "ld a0, 0(a0)");
FRAGMENT(sd, "sd a1, 0(a0)");
FRAGMENT(lr_d, "lr.d a0, (a0)");
FRAGMENT(sc_d, "sc.d a0, a1, (a0)");
FRAGMENT(amo_d, "amomaxu.d a0, a1, (a0)");
#endif

enum { LOAD, STORE, LR, SC, AMO };
static const struct { const char *what, *code; int size, kind; } accesses[] = {
    {"lh", lh, 2, LOAD}, {"lhu", lhu, 2, LOAD}, {"lw", lw, 4, LOAD}, {"sh", sh, 2, STORE}, {"sw", sw, 4, STORE},
    {"lr.w", lr_w, 4, LR}, {"sc.w", sc_w, 4, SC}, {"amoxor.w", amo_w, 4, AMO},
#if XLEN == 64
    {"lwu", lwu, 4, LOAD}, {"ld", ld, 8, LOAD}, {"sd", sd, 8, STORE}, {"lr.d", lr_d, 8, LR}, {"sc.d", sc_d, 8, SC}, {"amomaxu.d", amo_d, 8, AMO},
#endif
};

static void at(reg mode, reg base, reg ram) {
    for (unsigned i = 0; i < sizeof accesses / sizeof *accesses; i++)
        for (int offset = -9; offset < 10; offset++) {
            for (int n = -24; n < 24; n++) ((volatile u8 *)ram)[n] = 0x80 + n * 3;
            reg address = base + offset;
            observe_trap(accesses[i].what, mode, seen_by(mode, accesses[i].code), address, (reg)0xf1e2d3c4b5a69788);
            for (int n = -24; n < 24; n += 4) observe("memory", *(volatile u32 *)(ram + n));
            int aligned = address % accesses[i].size == 0, kind = accesses[i].kind;
            if (kind <= STORE || aligned) expect(accesses[i].what, last.cause == ECALL_U || last.cause == ECALL_S || last.cause == ECALL_M, 1);
            else {
                expect(accesses[i].what, last.cause, kind == LR ? LOAD_MISALIGNED : STORE_MISALIGNED);
                expect("tval", last.tval, address);
            }
        }
}

void test(void) {
    section("machine, bare");
    at(M, SCRATCH + 64, SCRATCH + 64);
    section("machine, page border");
    at(M, SCRATCH + PAGE, SCRATCH + PAGE);
    paging(XLEN == 64 ? 3 : 2);
    map(PLACE, SCRATCH, 0, V | R | W | AD);
    map(PLACE + PAGE, SCRATCH + PAGE, 0, V | R | W | AD);
    map(PLACE + 2 * PAGE, SCRATCH, 0, V | R | W | AD | FOR_U);
    map(PLACE + 3 * PAGE, SCRATCH + PAGE, 0, V | R | W | AD | FOR_U);
    csr_write(satp, satp(0));
    fence_all();
    section("supervisor");
    at(S, PLACE + 64, SCRATCH + 64);
    at(S, PLACE + PAGE, SCRATCH + PAGE);
    section("user");
    at(U, PLACE + 2 * PAGE + 64, SCRATCH + 64);
    at(U, PLACE + 3 * PAGE, SCRATCH + PAGE);
}
