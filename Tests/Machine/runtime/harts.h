// Two harts in one test: `test` runs on the first, `second_hart` on the second, in machine mode and on a stack of its own. A trap of the
// second that it does not handle itself ends the test.

#pragma once
#include "machine.h"

void second_hart(void);

enum { FIRST_HART = 0, SECOND_HART = 1, HARTS = 2 };
#define SECOND_MSIP ((volatile u32 *)(reg)CLINT)[SECOND_HART]
#define fence() asm volatile("fence" ::: "memory")

// Data that one hart writes and another reads lies on lines of its own.
#define SHARED __attribute__((aligned(64)))

// Both come here before either goes on; all that they did before is seen behind it.
static struct { volatile u32 count SHARED; } arrivals[HARTS];
static inline void meet(int hart) {
    fence();
    u32 mine = ++arrivals[hart].count;
    while ((int32_t)(arrivals[!hart].count - mine) < 0);
    fence();
}

// Rounds of both harts: as many as `limit`, fewer when the time is over. The first hart decides, and both ask.
#define TICKS_PER_SECOND 10000000u
static volatile u32 another SHARED;
static inline int go_on(int hart, u32 round, u32 limit, u64 deadline) {
    if (hart == FIRST_HART) another = round < limit && mtime() < deadline;
    meet(hart);
    u32 answer = another;
    meet(hart);
    return answer;
}
