// The board's flash memory, which has no image: what it shows, commands of every width, programming, erasing, code in it.
// build: flash machine=virt
// build: flash-rv32 rv32 machine=virt

#include "machine.h"

#define BANK0 0x20000000u
#define BANK1 0x22000000u
#define BLOCK 0x40000u
#define WORD(offset) (*(volatile u32 *)(reg)(bank + (offset)))
#define HALF(offset) (*(volatile u16 *)(reg)(bank + (offset)))
#define BYTE(offset) (*(volatile u8 *)(reg)(bank + (offset)))

static reg bank;

enum { ARRAY = 0xff00ff, STATUS = 0x700070, CLEAR = 0x500050, IDENTIFY = 0x900090, QUERY = 0x980098 };
enum { PROGRAM = 0x400040, ERASE = 0x200020, CONFIRM = 0xd000d0, BUFFER = 0xe800e8, LOCK = 0x600060, READY = 0x800080 };

// a0: where; each turn programs the next number, reads the status, shows the memory, and adds up what is there.
FRAGMENT(programs, "li a3, 200\nli a4, 0\nli a5, 0x400040\nli a6, 0xff00ff\n1: sw a5, 0(a0)\nsw a3, 0(a0)\nlw a2, 0(a0)\nadd a4, a4, a2\n"
    "sw a6, 0(a0)\nlw a2, 0(a0)\nadd a4, a4, a2\naddi a3, a3, -1\nbnez a3, 1b\nmv a0, a4");
// Reads of the memory, and in the middle of them others.
FRAGMENT(reads, "li a3, 1000\nli a4, 0\nli a5, 0x900090\nli a6, 0xff00ff\n1: lw a2, 0(a0)\nadd a4, a4, a2\nandi a2, a3, 127\nbnez a2, 2f\n"
    "sw a5, 0(a0)\n2: lw a2, 0(a0)\nadd a4, a4, a2\nsw a6, 0(a0)\naddi a3, a3, -1\nbnez a3, 1b\nmv a0, a4");
FRAGMENT(add, "addi a0, a0, 1");
FRAGMENT(load, "lw a0, 0(a0)");

static void program(reg offset, u32 value) {
    WORD(offset) = PROGRAM;
    WORD(offset) = value;
    expect("ready", WORD(offset), READY);
}

static void erase(reg offset) {
    WORD(offset) = ERASE;
    WORD(offset) = CONFIRM;
    expect("ready", WORD(offset), READY);
    WORD(offset) = ARRAY;
}

void test(void) {
    for (int b = 0; b < 2; b++) {
        bank = b ? BANK1 : BANK0;
        section_number("bank", b);
        observe("empty", WORD(0));
        WORD(0x1000) = QUERY;
        for (int i = 0; i < 0x60; i++) observe("query", WORD(4 * i));
        expect("half", HALF(0x42), 0x51);
        WORD(0) = ARRAY;
        WORD(0x1000) = IDENTIFY;
        for (int i = 0; i < 4; i++) observe("identifier", WORD(4 * i));
        WORD(0) = STATUS;
        observe("status", WORD(BLOCK));
        observe("status", HALF(BLOCK + 2));
        observe("status", BYTE(BLOCK));
        WORD(0) = ARRAY;
        observe("array", WORD(0));
    }
    bank = BANK1;
    section("programming");
    erase(0);
    observe("erased", WORD(BLOCK - 4));
    observe("next", WORD(BLOCK));
    program(0x100, 0x12345678);
    program(0x104, 0x9abcdef0);
    WORD(0) = ARRAY;
    observe("low", WORD(0x100));
    observe("high", WORD(0x104));
    HALF(0x200) = 0x40;
    HALF(0x200) = 0xbeef;
    BYTE(0x203) = 0x10;
    BYTE(0x203) = 0x5a;
    BYTE(0) = 0xff;
    observe("narrow", WORD(0x200));
    program(5 * BLOCK, 0x11);
    WORD(5 * BLOCK) = ERASE;
    WORD(5 * BLOCK) = ARRAY;
    expect("erasing given up", WORD(5 * BLOCK), 0x11);
    WORD(0) = CLEAR;
    WORD(0) = 0x330033;
    observe("no command", WORD(0x100));
    WORD(0) = LOCK;
    WORD(0) = 0x10001;
    WORD(0) = LOCK;
    WORD(0) = CONFIRM;
    WORD(0) = ARRAY;
    observe("unlocked", WORD(0x100));
    section("buffer");
    for (u32 count = 2; count <= 300; count += 37) {
        WORD(0x4000) = BUFFER;
        expect("ready", WORD(0x4000), READY);
        WORD(0x4000) = (count - 1) << 16 | (count - 1);
        for (u32 i = 0; i < count; i++) WORD(0x4000 + 4 * i) = count << 16 | i;
        WORD(0x4000) = CONFIRM;
        expect("ready", WORD(0), READY);
        WORD(0) = ARRAY;
        for (u32 i = 0; i <= count; i++) observe("word", WORD(0x4000 + 4 * i));
    }
    WORD(0x5000) = BUFFER;
    WORD(0x5000) = 0x10001;
    WORD(0x5000) = 0;
    WORD(0x5004) = 0;
    WORD(0x5000) = ARRAY;
    observe("given up", WORD(0x5000));
    WORD(0x6000) = BUFFER;
    WORD(0x6000) = 0x10001;
    WORD(0x6000) = 1;
    WORD(0x2c000) = 2;
    observe("outside", WORD(0));
    WORD(0) = CONFIRM;
    WORD(0) = CLEAR;
    WORD(0) = ARRAY;
    observe("kept", WORD(0x6000));
    observe("kept", WORD(0x2c000));
    section("in loops");
    observe_trap("programs", M, programs, bank + 0x8000, 0);
    expect("sum", last.a0, 200 * (reg)READY + 200 * 201 / 2);
    observe_trap("reads", M, reads, bank + 0x8000, 0);
    section("through page tables");
    paging(XLEN == 64 ? 3 : 2);
    csr_write(satp, satp(0));
    map(PLACE, bank, 0, V | RWX | AD);
    fence_all();
    observe_trap("reads", S, reads, PLACE + 0x100, 0);
    WORD(0) = IDENTIFY;
    observe_trap("identifier", S, load, PLACE, 0);
    WORD(0) = ARRAY;
    observe_trap("array", S, load, PLACE, 0);
    csr_write(satp, 0);
    section("code");
    for (int turn = 0; turn < 3; turn++) {
        erase(BLOCK);
        const u32 *words = (const u32 *)add;
        program(BLOCK, words[0] + (turn << 20));
        program(BLOCK + 4, words[1]);
        WORD(0) = ARRAY;
        fence_code();
        for (int i = 0; i < 50; i++) run(M, (const void *)(bank + BLOCK), i, 0);
        expect("a0", last.a0, 49 + 1 + turn);
        expect("cause", last.cause, ECALL_M);
    }
}
