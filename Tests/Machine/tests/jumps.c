// Jumps to where no code is: odd, not canonical, the highest address, holes, devices, the last bytes of RAM.
// build: jumps
// build: jumps-rv32 rv32

#include "machine.h"

FRAGMENT(jump, "jr a0");
FRAGMENT(call, "jalr a1, 0(a0)");
FRAGMENT(call_before, "jalr a1, -2048(a0)");
FRAGMENT(by_mret, "csrw mepc, a0\nli t0, 3 << 11\ncsrs mstatus, t0\nmret");
FRAGMENT(by_sret, "csrw sepc, a0\nli t0, 1 << 8\ncsrs sstatus, t0\nsret");

#define RAM_END 0x88000000u

static void to(reg mode, reg address) {
    observe_trap("jr", mode, seen_by(csr_read(satp) ? mode : S, jump), address, 0);
    observe_trap("jalr", mode, seen_by(csr_read(satp) ? mode : S, call), address, 0);
    observe_trap("jalr before", mode, seen_by(csr_read(satp) ? mode : S, call_before), address + 2048, 0);
    // The oracle keeps the lowest bit of mepc and sepc (csr-masks.c).
    if (mode == M) observe_trap("mret", mode, by_mret, address & ~(reg)1, 0);
    if (mode == S) observe_trap("sret", mode, by_sret, address & ~(reg)1, 0);
}

static const reg addresses[] = {
    0, 1, 2, 3, 4, (reg)-1, (reg)-2, (reg)-3, (reg)-4, (reg)-6, (reg)-8, 0x28000000, 0x28000002, CLINT, CLINT + 0xbff8, 0x7ffffffe, 0x7fffffff,
    RAM_END, RAM_END - 2, RAM_END - 4, RAM_END - 6, RAM_END + 2, 0xfffffffe, 0xffffffff,
#if XLEN == 64
    0x100000000, (reg)1 << 38, (reg)1 << 39, (reg)1 << 47, (reg)1 << 55, (reg)1 << 56, (reg)1 << 57, (reg)1 << 63, (reg)-1 << 38, (reg)-1 << 39,
    (reg)-1 << 47, (reg)-1 << 56, ((reg)1 << 63) | RAM,
#endif
};

void test(void) {
    static const reg modes[] = {M, S, U};
    volatile u16 *end = (volatile u16 *)(reg)RAM_END;
    for (int tail = 0; tail < 3; tail++) {
        // What RAM ends with: a whole ecall; compressed instructions; the first half of a long one.
        end[-4] = 0x0001; end[-3] = 0x0001; end[-2] = tail == 0 ? 0x0073 : 0x0001; end[-1] = tail == 0 ? 0 : tail == 1 ? 0x0001 : 0x0513;
        fence_code();
        for (int m = 0; m < 3; m++) {
            section_number("tail, mode", tail << 4 | modes[m]);
            for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) to(modes[m], addresses[i]);
            run(modes[m], jump, RAM_END - 2, 0);
            if (tail == 0) expect("the last halfword", last.cause, ILLEGAL);
            else {
                expect("behind RAM", last.cause, FETCH_ACCESS);
                expect("tval", last.tval, RAM_END);
                expect("epc", last.epc, tail == 1 ? RAM_END : RAM_END - 2);
            }
            run(modes[m], jump, 0x28000001, 0);
            expect("hole", last.cause, FETCH_ACCESS);
            expect("epc", last.epc, 0x28000000);
            run(modes[m], jump, CLINT, 0);
            expect("device", last.cause, FETCH_ACCESS);
        }
    }
    for (int l = XLEN == 64 ? 3 : 2; l <= (XLEN == 64 ? 5 : 2); l++)
        for (int m = 1; m < 3; m++) {
            section_number("levels, mode", l << 4 | modes[m]);
            paging(l);
            csr_write(satp, satp(0));
            fence_all();
            for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) to(modes[m], addresses[i]);
            run(modes[m], seen_by(modes[m], jump), -1, 0);
            expect("cause", last.cause, FETCH_PAGE);
            expect("epc", last.epc, (reg)-2);
            csr_write(satp, 0);
        }
}
