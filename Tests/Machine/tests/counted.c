// Counted instructions: with -icount a counter says how many there were to the last one, and the clock is the count. Interrupts come at
// their instruction.
// build: counted machine=virt icount=shift=0,sleep=off
// build: counted-rv32 rv32 machine=virt icount=shift=0,sleep=off

#include "machine.h"

#define FROM "csrr a0, minstret\n"
#define TO "csrr a1, minstret\n"

FRAGMENT(straight, FROM "nop\nnop\nnop\nnop\nnop\nnop\nnop\n" TO);
FRAGMENT(accesses, FROM "lw t0, (a1)\nsw t0, (a1)\nlb t1, (a1)\namoor.w t2, zero, (a1)\nlw t0, (a1)\n" TO);
FRAGMENT(jumps, FROM "j 1f\nnop\n1: jal t0, 2f\nj 3f\n2: jr t0\nnop\n3: beqz zero, 4f\nnop\n4: bnez zero, 4b\n" TO);
FRAGMENT(loop, FROM "li a2, 100\n1: addi a2, a2, -1\nbnez a2, 1b\n" TO);
FRAGMENT(hot, FROM "lui a2, 8\nli a3, 0\n1: addi a3, a3, 1\nandi t0, a3, 1\nbeqz t0, 2f\naddi t1, t1, 1\n2: addi a2, a2, -1\nbnez a2, 1b\n" TO);
FRAGMENT(calls, FROM "lui a2, 4\n1: jal t0, 2f\naddi a2, a2, -1\nbnez a2, 1b\nj 3f\n2: lw t1, (a1)\nandi t2, a2, 2\nbnez t2, 4f\nsw t1, (a1)\n4: jr t0\n3:" TO);
// The handler is the next instruction.
#define TRAPS(text) "la t0, 1f\ncsrrw t1, mtvec, t0\n" FROM "nop\n" text "\n.balign 4\n1: " TO "csrw mtvec, t1\n"
FRAGMENT(traps_call, TRAPS("ecall"));
FRAGMENT(traps_illegal, TRAPS("csrw cycle, zero"));
FRAGMENT(traps_load, TRAPS("lui t2, 0x20\nlw t2, (t2)\nnop\nnop"));
FRAGMENT(written, "csrw minstret, zero\ncsrr a0, minstret\nli a1, 1000\ncsrw minstret, a1\nnop\nnop\ncsrr a1, minstret");
FRAGMENT(stopped, "csrsi mcountinhibit, 4\ncsrr a0, minstret\nnop\nnop\ncsrr a1, minstret\ncsrci mcountinhibit, 4");
FRAGMENT(time_goes, "csrr a0, time\nli a2, 499\n1: addi a2, a2, -1\nbnez a2, 1b\ncsrr a1, time");
FRAGMENT(mtime_goes, "lw a4, (a0)\nli a2, 499\n1: addi a2, a2, -1\nbnez a2, 1b\nlw a1, (a0)\nmv a0, a4");
FRAGMENT(raises, "nop\nsw a1, (a0)\nnop\nnop\nsw zero, (a0)");

// An interrupt's handler notes the count, and puts the deadline off; the second one ends it.
#define AGAIN(later, off)                                                                                                          \
    "la t0, 2f\ncsrrw t1, mtvec, t0\nli a2, 0\nli a3, 0\ncsrsi mstatus, 8\n"                                                        \
    "1: addi a3, a3, 1\nandi t2, a3, 7\nbnez t2, 1b\nlw t2, (t0)\nj 1b\n.balign 4\n"                                                \
    "2: csrr a5, minstret\nbnez a2, 3f\nmv a4, a5\nli a2, 1\n" later "\nmret\n"                                                     \
    "3: " off "\ncsrw mtvec, t1\nmv a0, a4\nmv a1, a5\n"
FRAGMENT(alarms, AGAIN("sw a1, (a0)", "li t0, -1\nsw t0, 4(a0)"));
FRAGMENT(own_alarms, AGAIN("csrw 0x14d, a1", "li t0, -1\ncsrw 0x14d, t0"));

FRAGMENT(waits, "csrr a0, minstret\nwfi\ncsrr a1, minstret");
FRAGMENT(waits_until, "wfi\ncsrr a0, time");

#if XLEN == 64
#define set_stimecmp(value) csr_write(0x14d, value)
#define ENABLE_STIMECMP() csr_set(0x30a, (reg)1 << 63)
#else
#define set_stimecmp(value) ({ u64 v_ = value; csr_write(0x14d, -1); csr_write(0x15d, (reg)(v_ >> 32)); csr_write(0x14d, (reg)v_); })
#define ENABLE_STIMECMP() csr_set(0x31a, (reg)1 << 31)
#endif

static void counts(const char *what, const void *code, reg wanted) {
    for (int i = 0; i < 2; i++) {
        run(M, code, 0, SCRATCH);
        expect(what, last.a1 - last.a0, wanted);
    }
    observe(what, last.a1 - last.a0);
}

// The same, where an instruction that trapped is no instruction that was completed.
static void counts_traps(const char *what, const void *code, reg wanted) {
    run(M, code, 0, 0);
    expect(what, last.a1 - last.a0, wanted);
}

void test(void) {
    const u32 mtimecmp = CLINT + 0x4000, mtime_low = CLINT + 0xbff8;
    csr_write(mie, 0);
    section("code");
    counts("straight on", straight, 8);
    counts("loads and stores", accesses, 6);
    counts("jumps", jumps, 7);
    counts("a loop", loop, 202);
    counts("a hot loop", hot, 1 + 2 + 32768 * 5 + 16384);
    counts("calls", calls, 1 + 1 + 16384 * 7 + 8192 + 1);
    section("traps");
    counts_traps("ecall", traps_call, 2);
    counts_traps("illegal instruction", traps_illegal, 2);
    counts_traps("load", traps_load, 3);
    section("the counter");
    run(M, written, 0, 0);
    expect("reads as written", last.a0, 0);
    expect("goes on", last.a1, 1002);
    run(M, stopped, 0, 0);
    expect("stands", last.a1 - last.a0, 0);
    section("time");
    for (int i = 0; i < 20; i++) {
        run(M, time_goes, 0, 0);
        expect("time", last.a1 - last.a0, 10);
        observe("time", last.a1 - last.a0);
        run(M, mtime_goes, mtime_low, 0);
        expect("mtime", last.a1 - last.a0, 10);
        observe("mtime", last.a1 - last.a0);
    }
    section("a device's interrupt");
    status = MPIE;
    csr_write(mie, 1 << MSI);
    for (int i = 0; i < 50; i++) {
        run(M, raises, CLINT, 1);
        MSIP = 0;
        expect("cause", last.cause, INTERRUPT | MSI);
        expect("before the next instruction", last.epc - (reg)raises, 8);
        observe("after", last.epc - (reg)raises);
    }
    status = 0;
    section("timers");
    csr_write(mie, 1 << MTI);
    for (int i = 0; i < 20; i++) {
        u64 first = mtime() + 10 + i;
        set_mtimecmp(first);
        run(M, alarms, mtimecmp, (reg)(first + 7 + i));
        expect("from one to the next", last.a1 - last.a0, 700 + 100 * i);
        csr_clear(mstatus, MIE);
    }
    set_mtimecmp(-1);
    ENABLE_STIMECMP();
    csr_write(mie, 1 << STI);
    for (int i = 0; i < 20; i++) {
        u64 first = mtime() + 10 + i;
        set_stimecmp(first);
        run(M, own_alarms, 0, (reg)(first + 7 + i));
        expect("from one of its own to the next", last.a1 - last.a0, 700 + 100 * i);
        csr_clear(mstatus, MIE);
    }
    set_stimecmp(-1);
    section("waiting");
    csr_write(mie, 1 << MTI);
    for (int i = 0; i < 3; i++) {
        set_mtimecmp(mtime() + 100000);
        run(M, waits, 0, 0);
        expect("takes no instructions", last.a1 - last.a0, 2);
        u64 end = mtime() + 100000;
        set_mtimecmp(end);
        run(M, waits_until, 0, 0);
        expect("ends when it is time", last.a0, (reg)end);
    }
    set_mtimecmp(-1);
}
