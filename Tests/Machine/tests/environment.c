// menvcfg and senvcfg: cache-block operations by CBIE, CBCFE, CBZE; what they do and which faults they raise; masks.
// build: environment
// build: environment-rv32 rv32

#include "machine.h"

#define CBO(n) ((u32)(n) << 20 | A0 << 15 | 2 << 12 | 15)
enum { INVAL = CBO(0), CLEAN = CBO(1), FLUSH = CBO(2), CLEAR = CBO(4) };
static const struct { const char *what; u32 word; } operations[] = {{"inval", INVAL}, {"clean", CLEAN}, {"flush", FLUSH}, {"zero", CLEAR}};

static const void *in(reg mode, const void *code) { return csr_read(satp) ? seen_by(mode, code) : code; }

static void gates(void) {
    for (reg m = 0; m < 16; m++)
        for (reg s = 0; s < 16; s++) {
            if ((m & 3) == 2 || (s & 3) == 2) continue;  // reserved
            csr_write(0x30a, m << 4);
            csr_write(0x10a, s << 4);
            for (reg mode = U; mode <= M; mode++) {
                if (mode == 2) continue;
                for (unsigned i = 0; i < 4; i++) {
                    for (int n = 0; n < 32; n++) ((volatile u32 *)(reg)SCRATCH)[n] = n + 1;
                    observe_trap(operations[i].what, mode, CODE(operations[i].word), SCRATCH + 20, 0);
                    observe("memory", ((volatile u32 *)(reg)SCRATCH)[0] << 16 | ((volatile u32 *)(reg)SCRATCH)[16]);
                    reg need = i == 0 ? 3 : i == 3 ? 8 : 4;
                    int open = mode == M || ((m & need) && (mode == S || (s & need)));
                    expect(operations[i].what, last.cause == ILLEGAL, !open);
                }
            }
        }
}

static void faults(void) {
    csr_write(0x30a, 15 << 4);
    csr_write(0x10a, 15 << 4);
    paging(XLEN == 64 ? 3 : 2);
    csr_write(satp, satp(0));
    static const pte flags[] = {0, V | R | AD, V | X | AD, V | R | W | AD, V | R | W | AD | FOR_U, V | R | X | AD | FOR_U};
    for (unsigned f = 0; f < 6; f++)
        for (reg mode = U; mode <= S; mode++)
            for (unsigned i = 0; i < 4; i++) {
                map(PLACE, SCRATCH, 0, flags[f]);
                fence_all();
                observe_trap(operations[i].what, mode, in(mode, CODE(operations[i].word)), PLACE + 100, 0);
                if (!flags[f]) expect("cause", last.cause, STORE_PAGE);
            }
    csr_write(satp, 0);
    for (unsigned i = 0; i < 4; i++) {
        if (i < 3) continue;  // whether there is something to be managed is the machine's
        observe_trap("hole", M, CODE(operations[i].word), 0x40000000 + 4, 0);
        expect("hole", last.cause, STORE_ACCESS);
    }
}

void test(void) {
    section("masks");
    for (int bit = 0; bit < XLEN; bit++) {
        if (bit == 5 || bit == 60) continue;  // CBIE 2 is reserved; CDE is of Smcdeleg
        csr_write(0x30a, (reg)1 << bit); observe("menvcfg", csr_read(0x30a));
        csr_write(0x10a, (reg)1 << bit); observe("senvcfg", csr_read(0x10a));
#if XLEN == 32
        csr_write(0x31a, (reg)1 << bit); observe("menvcfgh", csr_read(0x31a));
#endif
    }
#if XLEN == 32
    csr_write(0x31a, 0);
#endif
    section("gates");
    gates();
    section("faults");
    faults();
}
