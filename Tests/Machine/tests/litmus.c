// Litmus tests of RVWMO: two harts do a few accesses each to two words, over and over; what the model forbids is never seen. The names are
// those of the literature (Privileged and unprivileged ISA, appendix A of RVWMO). What the model allows may be seen or not.
// build: litmus machine=virt harts=2
// build: litmus-rv32 rv32 machine=virt harts=2

#include "harts.h"

enum { CELLS = 256, ROUNDS = 500 };
static struct { volatile u32 x SHARED, y SHARED; } cells[CELLS];
static struct { u8 p, q; } seen[HARTS][CELLS];

struct litmus {
    const char *name;
    void (*code[HARTS])(int cell);
    int (*forbidden)(u32 p0, u32 q0, u32 p1, u32 q1, u32 x, u32 y);
};

// A hart's code has the addresses `x` and `y`, the values `one` and `two`, a register for itself and two for what it read.
#define HART(name, number, text)                                                                                                  \
    static void name##number(int cell) {                                                                                          \
        reg p = 0, q = 0, t = 0;                                                                                                  \
        asm volatile(text : [p] "+&r"(p), [q] "+&r"(q), [t] "+&r"(t)                                                              \
            : [x] "r"(&cells[cell].x), [y] "r"(&cells[cell].y), [one] "r"(1), [two] "r"(2) : "memory");                           \
        seen[number][cell].p = p;                                                                                                 \
        seen[number][cell].q = q;                                                                                                 \
    }
#define LITMUS(name, first, second, condition)                                                                                    \
    HART(name, 0, first)                                                                                                          \
    HART(name, 1, second)                                                                                                         \
    static int name(u32 p0, u32 q0, u32 p1, u32 q1, u32 x, u32 y) {                                                               \
        (void)p0, (void)q0, (void)p1, (void)q1, (void)x, (void)y;                                                                 \
        return condition;                                                                                                         \
    }

#define READ(to, place) "lw %[" #to "], (%[" #place "])\n"
#define WRITE(place, value) "sw %[" #value "], (%[" #place "])\n"
#define FENCE(before, behind) "fence " #before ", " #behind "\n"
#define SWAP(order, place, value) "amoswap.w" #order " zero, %[" #value "], (%[" #place "])\n"

// Message passing: who sees the second write sees the first.
LITMUS(mp, WRITE(x, one) FENCE(rw, rw) WRITE(y, one), READ(p, y) FENCE(rw, rw) READ(q, x), p1 == 1 && q1 == 0)
LITMUS(mp_least, WRITE(x, one) FENCE(w, w) WRITE(y, one), READ(p, y) FENCE(r, r) READ(q, x), p1 == 1 && q1 == 0)
LITMUS(mp_tso, WRITE(x, one) "fence.tso\n" WRITE(y, one), READ(p, y) "fence.tso\n" READ(q, x), p1 == 1 && q1 == 0)
LITMUS(mp_release, WRITE(x, one) SWAP(.rl, y, one), "lr.w.aq %[p], (%[y])\n" READ(q, x), p1 == 1 && q1 == 0)
LITMUS(mp_address, WRITE(x, one) FENCE(w, w) WRITE(y, one), READ(p, y) "xor %[t], %[p], %[p]\nadd %[t], %[t], %[x]\nlw %[q], (%[t])\n",
    p1 == 1 && q1 == 0)
// Store buffering: one sees the other's write.
LITMUS(sb, WRITE(x, one) FENCE(rw, rw) READ(p, y), WRITE(y, one) FENCE(rw, rw) READ(p, x), p0 == 0 && p1 == 0)
LITMUS(sb_least, WRITE(x, one) FENCE(w, r) READ(p, y), WRITE(y, one) FENCE(w, r) READ(p, x), p0 == 0 && p1 == 0)
LITMUS(sb_acquire, SWAP(.aqrl, x, one) READ(p, y), SWAP(.aqrl, y, one) READ(p, x), p0 == 0 && p1 == 0)
// Load buffering: nothing comes out of the future.
LITMUS(lb, READ(p, x) FENCE(rw, rw) WRITE(y, one), READ(p, y) FENCE(rw, rw) WRITE(x, one), p0 == 1 && p1 == 1)
LITMUS(lb_least, READ(p, x) FENCE(r, w) WRITE(y, one), READ(p, y) FENCE(r, w) WRITE(x, one), p0 == 1 && p1 == 1)
#define DEPENDENT(from, to) READ(p, from) "xor %[t], %[p], %[p]\nori %[t], %[t], 1\n" WRITE(to, t)
LITMUS(lb_data, DEPENDENT(x, y), DEPENDENT(y, x), p0 == 1 && p1 == 1)
// Coherence of one word, without fences.
LITMUS(co_rr, WRITE(x, one), READ(p, x) READ(q, x), p1 == 1 && q1 == 0)
LITMUS(co_rr_twice, WRITE(x, one) WRITE(x, two), READ(p, x) READ(q, x), q1 < p1 || x != 2)
LITMUS(co_rr_fenced, WRITE(x, one) FENCE(w, w) WRITE(x, two), READ(p, x) FENCE(r, r) READ(q, x), q1 < p1 || x != 2)
LITMUS(co_wr, WRITE(x, one) READ(p, x), WRITE(x, two), p0 == 0 || (p0 == 2 && x != 2))
LITMUS(co_rw, READ(p, x) WRITE(x, one), WRITE(x, two), p0 == 1 || (p0 == 2 && x != 1))
// Writes in the order of each hart.
LITMUS(two_plus_two, WRITE(x, one) FENCE(w, w) WRITE(y, two), WRITE(y, one) FENCE(w, w) WRITE(x, two), x == 1 && y == 1)
LITMUS(r, WRITE(x, one) FENCE(rw, rw) WRITE(y, one), WRITE(y, two) FENCE(rw, rw) READ(p, x), y == 2 && p1 == 0)
LITMUS(s, WRITE(x, two) FENCE(w, w) WRITE(y, one), READ(p, y) FENCE(r, w) WRITE(x, one), p1 == 1 && x == 2)
// Nothing comes between the halves of an AMO, or between a reservation and the store that succeeds.
#define ADD "amoadd.w %[p], %[one], (%[x])\n"
#define PAIR "lr.w %[p], (%[x])\nsc.w %[q], %[two], (%[x])\n"
LITMUS(amo, ADD, ADD, p0 == p1 || x != 2)
LITMUS(amo_and_store, ADD, WRITE(x, two), (p0 == 0 && x == 1) || (p0 == 2 && x != 3))
LITMUS(pairs, PAIR, PAIR, q0 == 0 && q1 == 0 && p0 == 0 && p1 == 0)
LITMUS(pair_and_store, PAIR, WRITE(x, one), q0 == 0 && p0 == 0 && x != 1)

#define ROW(name) {#name, {name##0, name##1}, name}
static const struct litmus tests[] = {
    ROW(mp), ROW(mp_least), ROW(mp_tso), ROW(mp_release), ROW(mp_address), ROW(sb), ROW(sb_least), ROW(sb_acquire), ROW(lb), ROW(lb_least),
    ROW(lb_data), ROW(co_rr), ROW(co_rr_twice), ROW(co_rr_fenced), ROW(co_wr), ROW(co_rw), ROW(two_plus_two), ROW(r), ROW(s), ROW(amo),
    ROW(amo_and_store), ROW(pairs), ROW(pair_and_store),
};
enum { TESTS = sizeof tests / sizeof *tests };

static void both(int hart) {
    for (unsigned i = 0; i < TESTS; i++) {
        const struct litmus *litmus = &tests[i];
        if (hart == FIRST_HART) section(litmus->name);
        u64 deadline = mtime() + TICKS_PER_SECOND / 2 / TESTS;
        for (u32 round = 0; go_on(hart, round, ROUNDS, deadline); round++) {
            for (int cell = 0; cell < CELLS; cell++) litmus->code[hart](cell);
            meet(hart);
            if (hart != FIRST_HART) continue;
            for (int cell = 0; cell < CELLS; cell++) {
                u32 x = cells[cell].x, y = cells[cell].y;
                cells[cell].x = cells[cell].y = 0;
                u32 p0 = seen[0][cell].p, q0 = seen[0][cell].q, p1 = seen[1][cell].p, q1 = seen[1][cell].q;
                if (litmus->forbidden(p0, q0, p1, q1, x, y))
                    expect("forbidden: p0 q0 p1 q1 x y", p0 << 20 | q0 << 16 | p1 << 12 | q1 << 8 | x << 4 | y, -1);
            }
        }
    }
}

void test(void) { both(FIRST_HART); }
void second_hart(void) { both(SECOND_HART); }
