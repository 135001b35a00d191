// Code that one hart writes and another runs. The writer's flag says that it is there; FENCE.I of the hart that runs it makes it see all
// that it saw written: old code never runs behind it.
// build: shared-code machine=virt harts=2
// build: shared-code-rv32 rv32 machine=virt harts=2

#include "harts.h"

enum { ROUNDS = 1500, PLACES = 8 };
#define LI(n) ((u32)(n) << 20 | A0 << 7 | 0x13)
#define RET 0x8067u
// Places of a page: code, and behind it data that is written all the time.
#define CODE_AT(place) ((volatile u32 *)(reg)(SCRATCH + (place) * 256))
#define DATA_AT(place) (CODE_AT(place)[32])

static volatile u32 written SHARED, ran SHARED;

static void write(u32 round) {
    volatile u32 *code = CODE_AT(round % PLACES);
    code[0] = LI(round & 2047);
    code[1] = RET;
}

static reg call(u32 round) { return ((reg (*)(void))(reg)CODE_AT(round % PLACES))(); }

// `repeats`: how often new code runs; often enough, and it is compiled better.
static void rounds(int hart, u32 repeats, u64 ticks) {
    u64 deadline = mtime() + ticks;
    if (hart == FIRST_HART) written = ran = 0;
    for (u32 round = 1; go_on(hart, round, ROUNDS, deadline); round++) {
        if (hart == SECOND_HART) {
            write(round);
            asm volatile("fence w, w" ::: "memory");
            written = round;
            while (ran != round) DATA_AT(round % PLACES)++;
            // The writer runs it by a fence of its own.
            fence_code();
            expect("the writer's own", call(round), round & 2047);
        } else {
            while (written != round);
            asm volatile("fence r, r\nfence.i" ::: "memory");
            for (u32 i = 0; i < repeats; i++) expect("new code", call(round), round & 2047);
            asm volatile("fence rw, w" ::: "memory");
            ran = round;
        }
    }
}

static void both(int hart) {
    if (hart == FIRST_HART) section("run once");
    rounds(hart, 1, TICKS_PER_SECOND / 4);
    if (hart == FIRST_HART) section("run often");
    rounds(hart, 100, TICKS_PER_SECOND / 4);
}

void test(void) { both(FIRST_HART); }
void second_hart(void) { both(SECOND_HART); }
