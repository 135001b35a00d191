// Two harts count in the same words: AMOs, reservations, compare-and-swap, and locks made of them. No count is lost.
// build: shared-counters machine=virt harts=2
// build: shared-counters-rv32 rv32 machine=virt harts=2

#include "harts.h"

enum { COUNTS = 20000 };
static volatile reg word SHARED;
static volatile u32 neighbours[2] SHARED;  // in the same eight bytes
static volatile u32 lock SHARED;
static volatile reg guarded SHARED, guarded_too SHARED;

#if XLEN == 64
#define FULL ".d"
#define WIDTH "3"
#else
#define FULL ".w"
#define WIDTH "2"
#endif

static void add(int hart) { (void)hart; asm volatile("amoadd" FULL " zero, %0, (%1)" :: "r"((reg)1), "r"(&word) : "memory"); }

static void add_beside(int hart) {
    asm volatile("amoadd.w zero, %0, (%1)" :: "r"(1), "r"(&neighbours[hart]) : "memory");
    asm volatile("amoadd.w zero, %0, (%1)" :: "r"(1), "r"(&neighbours[!hart]) : "memory");
}

static void reserve(int hart) {
    (void)hart;
    reg t, failed;
    asm volatile("1: lr" FULL " %0, (%2)\naddi %0, %0, 1\nsc" FULL " %1, %0, (%2)\nbnez %1, 1b"
        : "=&r"(t), "=&r"(failed) : "r"(&word) : "memory");
}

// amocas, of Zacas: its rd is what is compared, and then what was there.
static void compare(int hart) {
    (void)hart;
    reg old, next, was = word;
    do {
        old = was;
        next = old + 1;
        asm volatile(".insn r 0x2f, " WIDTH ", 0x14, %0, %1, %2" : "+r"(was) : "r"(&word), "r"(next) : "memory");
    } while (was != old);
}

// One hart by an AMO, the other by a reservation.
static void mixed(int hart) {
    if (hart) add(hart);
    else reserve(hart);
}

static void count_guarded(void) { guarded = guarded + 1; guarded_too = guarded_too + 1; }

static void by_swap(int hart) {
    (void)hart;
    u32 was;
    do asm volatile("amoswap.w.aq %0, %1, (%2)" : "=r"(was) : "r"(1), "r"(&lock) : "memory"); while (was);
    count_guarded();
    asm volatile("amoswap.w.rl zero, zero, (%0)" :: "r"(&lock) : "memory");
}

static void by_reservation(int hart) {
    (void)hart;
    reg t;
    asm volatile("1: lr.w.aq %0, (%1)\nbnez %0, 1b\nsc.w %0, %2, (%1)\nbnez %0, 1b" : "=&r"(t) : "r"(&lock), "r"(1) : "memory");
    count_guarded();
    asm volatile("fence rw, w\nsw zero, (%0)" :: "r"(&lock) : "memory");
}

// Toggled an even number of times, each bit by one hart.
static void toggle(int hart) { asm volatile("amoxor.w zero, %0, (%1)" :: "r"(1 << hart), "r"(&lock) : "memory"); }

static const struct {
    const char *name;
    void (*step)(int hart);
    volatile void *counted;
    reg each;
} counters[] = {
    {"AMO", add, &word, HARTS},
    {"AMO beside another", add_beside, neighbours, HARTS},
    {"reservation", reserve, &word, HARTS},
    {"compare and swap", compare, &word, HARTS},
    {"AMO and reservation", mixed, &word, HARTS},
    {"lock by AMO", by_swap, &guarded, HARTS},
    {"lock by reservation", by_reservation, &guarded, HARTS},
    {"toggles", toggle, &lock, 0},
};

static void both(int hart) {
    for (unsigned i = 0; i < sizeof counters / sizeof *counters; i++) {
        if (hart == FIRST_HART) {
            section(counters[i].name);
            word = guarded = guarded_too = neighbours[0] = neighbours[1] = lock = 0;
        }
        meet(hart);
        for (int n = 0; n < COUNTS; n++) counters[i].step(hart);
        meet(hart);
        if (hart != FIRST_HART) continue;
        expect("sum", *(volatile u32 *)counters[i].counted, counters[i].each * COUNTS);
        expect("neighbours", neighbours[1], neighbours[0]);
        expect("guarded as well", guarded_too, guarded);
    }
}

void test(void) { both(FIRST_HART); }
void second_hart(void) { both(SECOND_HART); }
