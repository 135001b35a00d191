// A reset loads the program anew: code that it has changed, and that has run, is what it was. The timer begins anew, too.
// build: reload machine=virt
// build: reload-rv32 rv32 machine=virt

#include "machine.h"

FRAGMENT(number, "li a0, 1");
#define BOOTS (*(volatile u32 *)(reg)SCRATCH)  // nothing is loaded there
#define FINISHER (*(volatile u32 *)(reg)0x100000)
#define LI(n) ((u32)(n) << 20 | 0x513)

static const u64 second = 10000000;  // ticks of the timer

static void set_mtime(u64 value) {
    volatile u32 *word = (volatile u32 *)(reg)(CLINT + 0xbff8);
    word[1] = value >> 32;
    word[0] = (u32)value;
}

static void runs(const char *what, u32 wanted) {
    for (int n = 0; n < 200; n++) {
        run(n & 1 ? M : S, number, 0, 0);
        expect(what, last.a0, wanted);
    }
}

void test(void) {
    section_number("boot", BOOTS);
    expect("mtime", mtime() < 15 * second, 1);
    expect("time", csr_read(time) < 15 * second, 1);
    set_mtime((u64)1 << 40 | 0x80000000);
    runs("as loaded", 1);
    for (u32 n = 2; n < 5; n++) {
        *(volatile u32 *)number = LI(n * 16 + BOOTS);
        fence_code();
        runs("changed", n * 16 + BOOTS);
    }
    if (++BOOTS < 4) {
        FINISHER = 0x7777;
        for (;;) asm volatile("wfi");
    }
}
