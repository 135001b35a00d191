// Code that is written while it runs: by its own address, by another mapping of its page, in loops, at borders of pages.
// build: changing-code
// build: changing-code-rv32 rv32

#include "machine.h"

FRAGMENT(store, "sw a1, 0(a0)");
FRAGMENT(jump, "jr a0");
FRAGMENT(store_and_jump, "sw a1, 0(a0)\nfence.i\njr a0");
// Writes the instruction behind the fence: li a0, n for each n of a loop, adding up in a2; a1 is where the instruction is written to.
FRAGMENT(loop,
    "li a2, 0\nli a3, 0\nli a4, 200\n"
    "1: slli a5, a3, 20\nlui a6, 0\naddi a6, a6, 0x513\nor a5, a5, a6\nsw a5, 0(a1)\nfence.i\n"
    ".globl loop_slot\nloop_slot: nop\nadd a2, a2, a0\naddi a3, a3, 1\nbne a3, a4, 1b\nmv a0, a2");
extern const char loop_slot[];

#define LI(n) ((u32)(n) << 20 | A0 << 7 | 0x13)
#define WORDS ((volatile u32 *)(reg)SCRATCH)

void test(void) {
    section("bare");
    WORDS[1] = ECALL;
    for (int n = 0; n < 2000; n++) {
        run(M, store_and_jump, SCRATCH, LI(n & 2047));
        expect("new code", last.a0, n & 2047);
    }
    static const reg modes[] = {M, S, U};
    for (int m = 0; m < 3; m++) {
        observe_trap("loop", modes[m], loop, 0, (reg)loop_slot);
        expect("sum", last.a0, 199 * 200 / 2);
    }
    section("by another mapping");
    paging(XLEN == 64 ? 3 : 2);
    csr_write(satp, satp(0));
    map(PLACE, SCRATCH, 0, V | R | W | AD);
    map(PLACE + PAGE, SCRATCH, 0, V | R | X | AD);
    map(PLACE + 2 * PAGE, (reg)loop_slot & -PAGE, 0, V | R | W | AD);
    map(PLACE + 3 * PAGE, (reg)loop_slot & -PAGE, 0, V | R | W | AD | FOR_U);
    fence_all();
    FRAGMENT(store_here_jump_there, "sw a1, 0(a0)\nfence.i\nli a2, 4096\nadd a0, a0, a2\njr a0");
    for (int n = 0; n < 500; n++) {
        run(S, store_here_jump_there, PLACE, LI(n));
        expect("new code", last.a0, n);
    }
    observe_trap("loop of S", S, loop, 0, PLACE + 2 * PAGE + (reg)loop_slot % PAGE);
    expect("sum", last.a0, 199 * 200 / 2);
    observe_trap("loop of U", U, as_user(loop), 0, PLACE + 3 * PAGE + (reg)loop_slot % PAGE);
    expect("sum", last.a0, 199 * 200 / 2);
    section("two pages swapped under running code");
    for (int page = 0; page < 2; page++) { WORDS[page * 1024] = LI(page + 1); WORDS[page * 1024 + 1] = ECALL; }
    fence_code();
    u32 sum = 0;
    for (int n = 0; n < 500; n++) {
        map(PLACE + PAGE, SCRATCH + (n * 7 % 3 & 1) * PAGE, 0, V | R | X | AD);
        asm volatile("sfence.vma %0" :: "r"(PLACE + PAGE) : "memory");
        run(S, jump, PLACE + PAGE, 0);
        expect("the page's code", last.a0, (n * 7 % 3 & 1) + 1);
        sum += last.a0 * n;
    }
    observe("sum", sum);
    section("halves of an instruction");
    // li a0, n over a page border; each half changes by itself.
    map(PLACE, SCRATCH, 0, V | RWX | AD);
    map(PLACE + PAGE, SCRATCH + 5 * PAGE, 0, V | RWX | AD);
    fence_all();
    volatile u16 *first = (volatile u16 *)(reg)(SCRATCH + PAGE - 2), *second = (volatile u16 *)(reg)(SCRATCH + 5 * PAGE);
    second[1] = 0x0073; second[2] = 0;
    for (int n = 0; n < 500; n++) {
        first[0] = n & 4 ? 0x0513 : 0x0593;  // li a0 or li a1
        second[0] = n << 4;
        fence_code();
        observe_trap("li", S, jump, PLACE + PAGE - 2, 0);
        expect("li", n & 4 ? last.a0 : last.a1, n);
    }

    // An instruction that is a page-table entry: `jal a0, .+2560` maps the page, and with the bit D it is `jal a1, .+2560`.
    section("an entry's bits");
    for (int n = 0; n < 40; n++) {
        paging(XLEN == 64 ? 3 : 2);
        volatile pte *e = map(PLACE, SCRATCH + 0x1000, 0, V | RWX | G | A | 0x100);
        ((volatile u32 *)e)[640] = ECALL;
        expect("the entry", (u32)*e, 0x2010056f);
        fence_code();
        for (int i = 0; i < 2; i++) {
            observe_trap("before", M, (const void *)e, 5, 7);
            expect("a0", last.a0, (reg)e + 4);
            expect("a1", last.a1, 7);
        }
        csr_write(satp, satp(0));
        fence_all();
        run(S, store, PLACE, n);
        csr_write(satp, 0);
        expect("D", *e & AD, AD);
        fence_code();
        run(M, (const void *)e, 5, 7);
        expect("a0", last.a0, 5);
        expect("a1", last.a1, (reg)e + 4);
    }
}
