// satp: reserved modes, ASID bits, changes at once; tables that map themselves.
// build: satp
// build: satp-rv32 rv32

#include "machine.h"

FRAGMENT(load, "lw a0, 0(a0)");
FRAGMENT(switch_and_load, "lw a2, 0(a0)\ncsrw satp, a1\nlw a1, 0(a0)\nmv a0, a2");

void test(void) {
    section("modes");
#if XLEN == 64
    for (reg before = 0; before < 16; before++)
        for (reg mode = 0; mode < 16; mode++) {
            csr_write(satp, 0);
            csr_write(satp, before << 60);
            csr_write(satp, mode << 60 | (reg)0xabcd << 44 | 0x23456789ab);
            observe("satp", csr_read(satp));
            if (mode > 10 || (mode > 0 && mode < 8)) expect("a reserved mode changes nothing", csr_read(satp) >> 60, before >= 8 && before <= 10 ? before : 0);
        }
#else
    for (int bit = 0; bit < 32; bit++) { csr_write(satp, (reg)1 << bit); observe("satp", csr_read(satp)); }
#endif
    csr_write(satp, 0);
    const int first = XLEN == 64 ? 3 : 2, final = XLEN == 64 ? 5 : 2;
    for (int l = first; l <= final; l++) {
        section_number("recursive", l);
        paging(l);
        csr_write(satp, satp(1));
        // An entry of the root that points to the root: its last level is then the root itself.
        const int index_bits = XLEN == 64 ? 9 : 10, slot = XLEN == 64 ? 7 : 0x301;
        pte *root = entry((reg)slot << (12 + index_bits * (levels - 1)), levels - 1);
        *root = leaf((reg)root & -PAGE, V);
        fence_all();
        reg address = 0;
        for (int i = 0; i < levels; i++) address |= (reg)slot << (12 + index_bits * i);
        observe_trap("not a leaf", S, load, address, 0);
        expect("not a leaf", last.cause, LOAD_PAGE);
        // The same as a leaf: supervisors read and write entries through it.
        pte *window = map(PLACE, (reg)entry(PLACE, 0) & -PAGE, 0, V | R | W | AD);
        *(volatile u32 *)(reg)SCRATCH = 0x1234567;
        fence_all();
        reg offset = (reg)entry(PLACE + PAGE, 0) % PAGE;
        observe_trap("its own entry", S, load, PLACE + (reg)window % PAGE, 0);
        expect("its own entry", (u32)last.a0, (u32)*window);
        FRAGMENT(edit, "sw a1, 0(a0)\nsfence.vma\nli a2, 0xc0001\nslli a2, a2, 12\nlw a0, 0(a2)");
        observe_trap("edited by itself", S, edit, PLACE + offset, leaf(SCRATCH, V | R | AD));
        expect("edited by itself", last.a0, 0x1234567);
        section_number("switched", l);
        // Two roots: the same address, other frames, no fence between, since the address spaces differ.
        static pte second[PAGE / sizeof(pte)] __attribute__((aligned(4096)));
        static pte others[4][PAGE / sizeof(pte)] __attribute__((aligned(4096)));
        pte *from = entry(0, levels - 1);
        from = (pte *)((reg)from & -PAGE);
        for (unsigned i = 0; i < PAGE / sizeof(pte); i++) second[i] = from[i];
        pte *table = second;
        for (int i = levels - 1; i > 0; i--) {
            unsigned index = (PLACE + PAGE) >> (12 + index_bits * i) & (PAGE / sizeof(pte) - 1);
            pte *old = (pte *)(reg)((u64)table[index] >> 10 << 12);
            for (unsigned n = 0; n < PAGE / sizeof(pte); n++) others[i - 1][n] = old[n];
            table[index] = leaf((reg)others[i - 1], V);
            table = others[i - 1];
        }
        table[(PLACE + PAGE) >> 12 & (PAGE / sizeof(pte) - 1)] = leaf(SCRATCH + PAGE, V | R | AD);
        *(volatile u32 *)(reg)(SCRATCH + PAGE) = 0x7654321;
        reg other = (satp(2) & ~(((reg)1 << (XLEN == 64 ? 44 : 22)) - 1)) | (reg)second >> 12;
        fence_all();
        for (int turn = 0; turn < 5; turn++) {
            csr_write(satp, satp(1));
            observe_trap("switched", S, switch_and_load, PLACE + PAGE, other);
            expect("first", last.a0, 0x1234567);
            expect("second", last.a1, 0x7654321);
        }
        csr_write(satp, 0);
    }
}
