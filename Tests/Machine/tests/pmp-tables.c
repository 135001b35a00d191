// PMP and page tables: entries that may not be read or written, leaves over borders, MPRV.
// build: pmp-tables
// build: pmp-tables-rv32 rv32

#include "machine.h"

FRAGMENT(load, "lw a0, 0(a0)");
FRAGMENT(store, "sw a1, 0(a0)");
FRAGMENT(jump, "jr a0");
FRAGMENT(swap, "amoswap.w a0, a1, (a0)");
static const struct { const char *what, *code; reg fault; } accesses[] = {
    {"load", load, LOAD_ACCESS}, {"store", store, STORE_ACCESS}, {"fetch", jump, FETCH_ACCESS}, {"amo", swap, STORE_ACCESS}};

static void protect(reg address, reg config) {
    csr_write(pmpcfg0, 0);
    csr_write(pmpaddr0, address);
    csr_write(pmpaddr1, -1);
    csr_write(pmpcfg0, (reg)0x1f << 8 | config);
    fence_all();
}

void test(void) {
    const int first = XLEN == 64 ? 3 : 2, final = XLEN == 64 ? 5 : 2;
    for (int l = first; l <= final; l++) {
        paging(l);
        csr_write(satp, satp(0));
        // The test runs by the entries above.
        for (int level = 0; level < (levels < 4 ? levels - 1 : 3); level++)
            for (reg rights = 0; rights < 8; rights++) {
                if ((rights & 3) == 2) continue;
                section_number("level, rights", level << 4 | rights);
                for (unsigned i = 0; i < 4; i++)
                    for (int marked = 0; marked < 2; marked++) {
                        *(volatile u32 *)(reg)SCRATCH = ECALL;
                        fence_code();
                        pte *e = map(PLACE, SCRATCH, 0, V | RWX | (marked ? AD : 0));
                        reg place = (reg)entry(PLACE, level);
                        protect(place >> 2, (sizeof(pte) == 8 ? 0x18 : 0x10) | rights);
                        observe_trap(accesses[i].what, S, accesses[i].code, PLACE, 5);
                        // A walk reads an entry as a load, and marks it as a store.
                        if (!(rights & 1)) { expect("unreadable entry", last.cause, accesses[i].fault); expect("tval", last.tval, PLACE); }
                        else if (!(rights & 2) && !marked && level == 0) expect("unwritable entry", last.cause, accesses[i].fault);
                        else expect("entry", last.cause == ECALL_S, 1);
                        protect(0, 0);
                        observe("entry", *e & 0x3ff);
                    }
            }
        section_number("a border in a big leaf", l);
        map(PLACE + 0x10000000, SCRATCH, 1, V | RWX | AD);
        for (int shape = 0; shape < 3; shape++) {
            reg hole = SCRATCH + 3 * PAGE + (shape ? 64 : 0), size = shape == 0 ? PAGE : shape == 1 ? 64 : 4;
            protect(size == 4 ? hole >> 2 : hole >> 2 | (size / 8 - 1), size == 4 ? 0x10 : 0x18);
            for (int offset = -8; offset <= 8; offset += 4)
                for (int edge = 0; edge < 2; edge++)
                    for (unsigned i = 0; i < 4; i++) {
                        reg physical = hole + (edge ? size : 0) + offset;
                        *(volatile u32 *)physical = ECALL;
                        fence_code();
                        reg address = PLACE + 0x10000000 + (physical - SCRATCH);
                        for (int warm = 0; warm < 2; warm++) {
                            run(S, load, PLACE + 0x10000000 + 3 * PAGE + 0x800, 0);
                            observe_trap(accesses[i].what, S, accesses[i].code, address, ECALL);
                            int inside = physical >= hole && physical < hole + size;
                            expect(accesses[i].what, last.cause, inside ? accesses[i].fault : ECALL_S);
                            if (inside) expect("tval", last.tval, address);
                        }
                    }
        }
        protect(0, 0);
        csr_write(satp, 0);
    }
}
