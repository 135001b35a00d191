// A page's entry that one hart changes while another uses the page: by the handshake that kernels do, an interrupt, SFENCE.VMA and an
// answer. Behind the answer no access goes by the old entry.
// build: shootdown machine=virt harts=2
// build: shootdown-rv32 rv32 machine=virt harts=2

#include "harts.h"

enum { ROUNDS = 400, LOOKS = 300, LOOKS_BETWEEN = 10000 };

volatile u32 begun SHARED, request SHARED, answered SHARED, faults SHARED, causes SHARED;

// The second hart writes a number that grows and reads it again, as a supervisor, for ever. Machine mode steps over what faults, and
// answers requests, odd ones with a fence of the one page. The handler has the registers that the loop does not use.
FRAGMENT(user, "1: addi a1, a1, 1\nsw a1, (a0)\nlw a2, (a0)\nj 1b");
FRAGMENT(handler,
    "csrr t0, mcause\nbltz t0, 2f\n"
    "li t1, 1\nsll t1, t1, t0\nla t0, causes\nlw t2, (t0)\nor t2, t2, t1\nsw t2, (t0)\n"
    "la t0, faults\nlw t2, (t0)\naddi t2, t2, 1\nsw t2, (t0)\n"
    "csrr t0, mepc\naddi t0, t0, 4\ncsrw mepc, t0\nmret\n"
    "2: li t0, 0x2000004\nsw zero, (t0)\nfence\n"
    "la t0, request\nlw t2, (t0)\nandi t1, t2, 1\nbnez t1, 3f\nsfence.vma\nj 4f\n3: sfence.vma a0, zero\n4: fence\n"
    "la t0, answered\nsw t2, (t0)\nmret");

void second_hart(void) {
    while (!begun);
    fence();
    csr_write(mtvec, handler);
    csr_write(satp, satp(0));
    fence_all();
    csr_write(mie, (reg)1 << MSI);
    csr_clear(mstatus, MPP(3));
    csr_set(mstatus, MPP(S));
    csr_write(mepc, user);
    asm volatile("mv a0, %0\nli a1, 0\nmret" :: "r"(PLACE) : "a0", "a1", "memory");
}

// Waits for ten seconds: the other hart's turn may be late where the emulator gets little of the host.
#define UNTIL(condition) \
    for (u64 end = mtime() + 10 * TICKS_PER_SECOND; mtime() < end;) \
        for (u32 look = 0; look < LOOKS_BETWEEN; look++) \
            if (condition)

static int shoot_down(void) {
    u32 number = request + 1;
    fence();
    request = number;
    fence();
    SECOND_MSIP = 1;
    UNTIL(answered == number) { fence(); return 1; }
    return 0;
}

static volatile u32 *page(int n) { return (volatile u32 *)(reg)(SCRATCH + n * PAGE); }

static int changes(const volatile u32 *value) {
    u32 before = *value;
    UNTIL(*value != before) return 1;
    return 0;
}

static int stays(const volatile u32 *value) {
    u32 before = *value;
    for (u32 i = 0; i < LOOKS; i++) if (*value != before) return 0;
    return 1;
}

// From here on nothing faults that may not. Says when the section is to end.
static u64 begin(void) {
    map(PLACE, SCRATCH, 0, V | R | W | AD);
    expect("answered", shoot_down(), 1);
    causes = 0;
    return mtime() + TICKS_PER_SECOND / 8;
}

// Between an entry that lets writes through and one that does not.
static void toggled(const char *name, pte flags, u32 expected) {
    section(name);
    u64 deadline = begin();
    for (int round = 0; round < ROUNDS && mtime() < deadline; round++) {
        map(PLACE, SCRATCH, 0, V | R | W | AD);
        expect("answered", shoot_down(), 1);
        expect("written", changes(page(0)), 1);
        map(PLACE, SCRATCH, 0, flags);
        expect("answered", shoot_down(), 1);
        expect("written no longer", stays(page(0)), 1);
        expect("faults", changes(&faults), 1);
    }
    expect("causes", causes, expected);
}

void test(void) {
    paging(XLEN == 64 ? 3 : 2);
    fence();
    begun = 1;
    toggled("read-only", V | R | AD, 1 << STORE_PAGE);
    toggled("for execution only", V | X | AD, 1 << STORE_PAGE | 1 << LOAD_PAGE);
    toggled("not there", 0, 1 << STORE_PAGE | 1 << LOAD_PAGE);
    toggled("for users", V | R | W | AD | FOR_U, 1 << STORE_PAGE | 1 << LOAD_PAGE);
    section("moved");
    u64 deadline = begin();
    for (int round = 0; round < ROUNDS && mtime() < deadline; round++) {
        int to = round % 3;
        map(PLACE, SCRATCH + to * PAGE, 0, V | R | W | AD);
        expect("answered", shoot_down(), 1);
        expect("the old page is left", stays(page((to + 2) % 3)), 1);
        expect("the new one is written", changes(page(to)), 1);
    }
    expect("causes", causes, 0);
}
