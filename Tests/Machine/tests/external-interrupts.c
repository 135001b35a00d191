// External interrupts of the PLIC at the hart: MEIP, SEIP and its software bit, claims, thresholds, enables, priorities.
// build: external-interrupts machine=virt
// build: external-interrupts-rv32 rv32 machine=virt

#include "machine.h"

FRAGMENT(spin, "1: addi a0, a0, -1\nbnez a0, 1b");
FRAGMENT(wait, "wfi");

#define PLIC ((volatile u32 *)(reg)0xc000000)
#define PRIORITY(n) PLIC[n]
#define PENDING PLIC[0x1000 / 4]
#define ENABLE(context) PLIC[(0x2000 + 0x80 * (context)) / 4]
#define THRESHOLD(context) PLIC[(0x200000 + 0x1000 * (context)) / 4]
#define CLAIM(context) PLIC[(0x200004 + 0x1000 * (context)) / 4]
#define UART ((volatile u8 *)(reg)0x10000000)
enum { FOR_M = 0, FOR_S = 1, SOURCE = 10 };  // the UART's input; its transmitter is always empty

static void uart(int on) { UART[1] = on ? 2 : 0; (void)UART[2]; }

// The line of the transmitter falls when it is told that it was seen; writing a byte raises it again.
static void raise_line(void) { UART[1] = 0; UART[1] = 2; }

static int comes(reg bit) {
    for (int i = 0; i < 200000; i++) if (csr_read(mip) & bit) return 1;
    return 0;
}
static int goes(reg bit) {
    for (int i = 0; i < 200000; i++) if (!(csr_read(mip) & bit)) return 1;
    return 0;
}

// The oracle looks at enables when something else is written.
static void enable(int context, u32 bits) { ENABLE(context) = bits; THRESHOLD(context) = THRESHOLD(context); }

static void see(const char *what) { observe(what, csr_read(mip)); observe("sip", csr_read(sip)); observe("pending", PENDING); }

void test(void) {
    const reg sei = 1 << SEI, mei = 1 << MEI;
    uart(0);
    set_mtimecmp(-1);
    section("masks");
    for (int n = 0; n < 100; n++) { PRIORITY(n) = -1; observe("priority", PRIORITY(n)); PRIORITY(n) = 0; }
    for (int c = 0; c < 2; c++) {
        THRESHOLD(c) = -1; observe("threshold", THRESHOLD(c)); THRESHOLD(c) = 0;
        for (int word = 0; word < 4; word++) {
            volatile u32 *enable = &ENABLE(c) + word;
            *enable = -1; observe("enable", *enable & (word ? -1 : -2)); *enable = 0;  // there is no source 0
        }
        observe("claim of nothing", CLAIM(c));
        expect("claim of nothing", CLAIM(c), 0);
    }
    for (int c = 0; c < 2; c++) {
        const reg bit = c ? sei : mei;
        section(c ? "context of S" : "context of M");
        PRIORITY(SOURCE) = 3; enable(c, 1 << SOURCE); THRESHOLD(c) = 0;
        raise_line();
        expect("comes", comes(bit), 1); see("comes");
        THRESHOLD(c) = 3; expect("threshold as high: goes", goes(bit), 1); see("threshold");
        THRESHOLD(c) = 2; expect("threshold below: comes", comes(bit), 1);
        PRIORITY(SOURCE) = 0; expect("priority 0: goes", goes(bit), 1); see("priority");
        PRIORITY(SOURCE) = 7; expect("priority: comes", comes(bit), 1);
        enable(c, 0); expect("not enabled: goes", goes(bit), 1); see("enable");
        enable(c, 1 << SOURCE); expect("enabled: comes", comes(bit), 1);
        u32 claimed = CLAIM(c);
        expect("claim", claimed, SOURCE);
        expect("claimed: goes", goes(bit), 1); see("claimed");
        expect("claimed once", CLAIM(c), 0);
        CLAIM(c) = SOURCE;
        expect("the level is still there: comes again", comes(bit), 1);
        claimed = CLAIM(c);
        uart(0);
        CLAIM(c) = SOURCE;
        expect("the level is gone: stays away", csr_read(mip) & bit, 0);
        // Taken, and waited for.
        csr_write(mie, bit);
        csr_write(mideleg, c ? sei : 0);
        status = MPIE | SIE;
        raise_line();
        reg mode = c ? S : M;
        run(mode, spin, 100000000, 0);
        expect("taken", last.cause, INTERRUPT | (c ? SEI : MEI));
        expect("by", last.by, mode);
        run(mode, wait, 0, 0);
        expect("waited for", last.cause, INTERRUPT | (c ? SEI : MEI));
        csr_write(mie, 0);
        status = 0;
        uart(0);
        claimed = CLAIM(c);
        CLAIM(c) = claimed;
        expect("quiet", goes(bit), 1);
        enable(c, 0);
    }
    section("enables by themselves");
    PRIORITY(SOURCE) = 1; THRESHOLD(FOR_M) = 0; THRESHOLD(FOR_S) = 0;
    enable(FOR_M, 1 << SOURCE);
    raise_line();
    expect("comes", comes(mei), 1);
    ENABLE(FOR_M) = 0;
    expect("goes with its enable", goes(mei), 1);
    ENABLE(FOR_M) = 1 << SOURCE;
    expect("comes with its enable", comes(mei), 1);
    uart(0);
    u32 left = CLAIM(FOR_M);
    CLAIM(FOR_M) = left;
    enable(FOR_M, 0);
    section("SEIP's two sources");
    PRIORITY(SOURCE) = 1; enable(FOR_S, 1 << SOURCE);
    csr_write(mip, 0);
    raise_line();
    expect("line: seen", comes(sei), 1);
    csr_clear(mip, sei);
    expect("line: not cleared by mip", csr_read(mip) & sei, sei);
    csr_set(mip, 1 << SSI);  // writes back the software bit, not what was read
    csr_clear(mip, 1 << SSI);
    enable(FOR_S, 0);
    expect("the line was not latched", goes(sei), 1); see("not latched");
    csr_set(mip, sei);
    expect("software: seen", csr_read(mip) & sei, sei);
    enable(FOR_S, 1 << SOURCE);
    expect("both", comes(sei), 1);
    csr_clear(mip, sei);
    expect("the line is left", csr_read(mip) & sei, sei);
    csr_set(mip, sei);
    enable(FOR_S, 0);
    expect("software is left", csr_read(mip) & sei, sei); see("software");
    csr_write(mip, 0);
    expect("none", csr_read(mip) & sei, 0);
    uart(0);
    section("priority over the others");
    enable(FOR_M, 1 << SOURCE);
    raise_line();
    expect("comes", comes(mei), 1);
    MSIP = 1;
    set_mtimecmp(0);
    csr_write(mie, mei);
    status = MPIE;
    run(M, spin, 1000000, 0);
    expect("MEI", last.cause, INTERRUPT | MEI);
    csr_write(mie, mei | 1 << MSI | 1 << MTI);
    run(M, spin, 1000000, 0);
    expect("MEI first of three", last.cause, INTERRUPT | MEI);
    csr_write(mie, 0);
    MSIP = 0;
    set_mtimecmp(-1);
    uart(0);
    u32 claimed = CLAIM(FOR_M);
    CLAIM(FOR_M) = claimed;
    enable(FOR_M, 0);
}
