// Timers: the CLINT's and stimecmp, in the past, soon, and never; who may set stimecmp; waiting for them.
// build: timers machine=virt
// build: timers-rv32 rv32 machine=virt

#include "machine.h"

FRAGMENT(spin, "1: addi a0, a0, -1\nbnez a0, 1b");
FRAGMENT(wait, "wfi");
FRAGMENT(read_time, "csrr a0, time");
FRAGMENT(set_timer, "csrw 0x14d, a0\ncsrr a0, 0x14d");
FRAGMENT(clear_pending, "csrc sip, a0\ncsrr a0, sip");
FRAGMENT(times, "csrr a0, time\nli a2, 2000\n1: addi a2, a2, -1\nbnez a2, 1b\ncsrr a1, time");

#if XLEN == 64
#define set_stimecmp(value) csr_write(0x14d, value)
#define MENVCFG_STCE(on) ((on) ? csr_set(0x30a, (reg)1 << 63) : csr_clear(0x30a, (reg)1 << 63))
#else
#define set_stimecmp(value) ({ u64 v_ = value; csr_write(0x14d, -1); csr_write(0x15d, (reg)(v_ >> 32)); csr_write(0x14d, (reg)v_); })
#define MENVCFG_STCE(on) ((on) ? csr_set(0x31a, (reg)1 << 31) : csr_clear(0x31a, (reg)1 << 31))
#endif

// Does a bit of mip come up within a while? Ends early when it does.
static int comes(reg bit, u64 ticks) {
    u64 end = mtime() + ticks;
    while (mtime() < end) if (csr_read(mip) & bit) return 1;
    return !!(csr_read(mip) & bit);
}

static void set_mtime(u64 value) {
    volatile u32 *word = (volatile u32 *)(reg)(CLINT + 0xbff8);
    word[0] = 0;
    word[1] = value >> 32;
    word[0] = (u32)value;
}

// What `time` says.
static u64 csr_time(void) {
#if XLEN == 64
    return csr_read(time);
#else
    u32 high, low;
    do { high = csr_read(timeh); low = csr_read(time); } while (high != csr_read(timeh));
    return (u64)high << 32 | low;
#endif
}

static const u64 never[] = {-1, (u64)1 << 63, ((u64)1 << 63) + 1, ((u64)1 << 63) - 1, (u64)-1 << 32, (u64)1 << 62, (u64)-10000000, 0x7fffffff00000000, (u64)1 << 58};

void test(void) {
    const reg mti = 1 << MTI, sti = 1 << STI;
    csr_write(mie, 0);
    section("mtimecmp");
    for (unsigned i = 0; i < sizeof never / sizeof *never; i++) {
        set_mtimecmp(never[i]);
        expect("never", comes(mti, 2000), 0);
        set_mtimecmp(0);
        expect("past", comes(mti, 1000000), 1);
        set_mtimecmp(never[i]);
        expect("never again", comes(mti, 2000), 0);
    }
    u64 deadline = mtime() + 20000;
    set_mtimecmp(deadline);
    if (csr_read(mip) & mti) expect("not early", mtime() >= deadline, 1);
    expect("soon", comes(mti, 1000000), 1);
    csr_clear(mip, mti);
    expect("not cleared by mip", comes(mti, 1000000), 1);
    set_mtimecmp(-1);
    status = MPIE;
    csr_write(mie, mti);
    set_mtimecmp(mtime() + 1000);
    run(M, spin, 100000000, 0);
    expect("taken", last.cause, INTERRUPT | MTI);
    set_mtimecmp(mtime() + 1000);
    run(U, spin, 100000000, 0);
    expect("taken from U", last.cause, INTERRUPT | MTI);
    set_mtimecmp(mtime() + 10000);
    run(M, wait, 0, 0);
    expect("ends waiting", last.cause, INTERRUPT | MTI);
    expect("behind wfi", last.epc, (reg)wait + 4);
    status = 0;
    set_mtimecmp(mtime() + 10000);
    run(M, wait, 0, 0);
    expect("ends waiting, though not taken", last.cause, ECALL_M);
    set_mtimecmp(-1);
    csr_write(mie, 0);

    section("time");
    csr_write(mcounteren, 2);
    run(S, times, 0, 0);
    expect("goes on", last.a1 - last.a0 < (reg)10000000, 1);
#if XLEN == 64
    u64 before = mtime();
    run(S, read_time, 0, 0);
    expect("is mtime", last.a0 >= before && last.a0 <= mtime(), 1);
#endif

    section("stimecmp, gates");
    for (int stce = 0; stce < 2; stce++)
        for (int counter = 0; counter < 4; counter++) {
            MENVCFG_STCE(stce);
            csr_write(mcounteren, counter & 1 ? 2 : 0);
            csr_write(scounteren, counter & 2 ? 2 : 0);
            observe_trap("by M", M, set_timer, -1, 0);
            observe_trap("by S", S, set_timer, -1, 0);
            expect("by S", last.cause, stce && counter & 1 ? ECALL_S : ILLEGAL);
            observe_trap("by U", U, set_timer, -1, 0);
            expect("by U", last.cause, ILLEGAL);
            if (stce) set_stimecmp(-1);
            csr_write(mip, sti);
            observe("STIP by mip", csr_read(mip) & sti);
            if (stce) expect("STIP is the comparison's", csr_read(mip) & sti, 0);
            csr_write(mip, 0);
        }
    MENVCFG_STCE(1);
    csr_write(mcounteren, 2);
    section("stimecmp");
    for (unsigned i = 0; i < sizeof never / sizeof *never; i++) {
        set_stimecmp(never[i]);
        expect("never", comes(sti, 2000), 0);
        set_stimecmp(0);
        expect("past", comes(sti, 1000000), 1);
    }
    csr_write(mideleg, sti);
    run(S, clear_pending, sti, 0);
    expect("not cleared by sip", last.a0 & sti, sti);
    set_stimecmp(-1);
    expect("gone at once", csr_read(mip) & sti, 0);
    status = SIE;
    csr_write(mie, sti);
    static const reg modes[] = {S, U};
    for (int m = 0; m < 2; m++) {
        set_stimecmp(mtime() + 1000);
        run(modes[m], spin, 100000000, 0);
        expect("taken", last.cause, INTERRUPT | STI);
        expect("by S", last.by, S);
        set_stimecmp(-1);
    }
    set_stimecmp(mtime() + 10000);
    run(S, wait, 0, 0);
    expect("ends waiting", last.cause, INTERRUPT | STI);
    expect("behind wfi", last.epc, (reg)wait + 4);
    status = 0;
    set_stimecmp(mtime() + 10000);
    run(S, wait, 0, 0);
    expect("ends waiting, though not taken", last.cause, ECALL_S);
    set_stimecmp(-1);
    // With the gate closed STIP is the software's; the comparison is back when it opens.
    set_stimecmp(0);
    observe("open", csr_read(mip) & sti);
    MENVCFG_STCE(0);
    MENVCFG_STCE(1);
    set_stimecmp(0);
    expect("open again", comes(sti, 100000), 1);
    set_stimecmp(-1);

    // Whoever sets mtime sets the time of all harts, and what waits for it comes when the new time says.
    section("mtime is set");
    static const u64 times[] = {(u64)1 << 40, 1000, ((u64)1 << 32) - 100, (u64)1 << 62, 0};
    const u64 second = 10000000;
    for (unsigned i = 0; i < sizeof times / sizeof *times; i++) {
        set_mtimecmp(times[i] + 1000 * second);
        set_stimecmp(times[i] + 1000 * second);
        set_mtime(times[i]);
        expect("mtime", mtime() - times[i] < 10 * second, 1);
        expect("time", csr_time() - times[i] < 10 * second, 1);
        expect("none is due", csr_read(mip) & (mti | sti), 0);
        set_mtime(times[i] + 1000 * second);
        expect("time", csr_time() - times[i] - 1000 * second < 10 * second, 1);
        expect("mtimecmp", comes(mti, second), 1);
        expect("stimecmp", comes(sti, second), 1);
        set_mtime(times[i]);
        expect("not any more", csr_read(mip) & (mti | sti), 0);
    }
    set_mtimecmp(-1);
    csr_write(mideleg, sti);
    csr_write(mie, sti);
    status = SIE;
    set_mtime(0);
    set_mtimecmp(1000 * second);
    set_stimecmp(1000 * second);
    set_mtime(1000 * second - 50000);
    run(U, spin, 100000000, 0);
    expect("taken", last.cause, INTERRUPT | STI);
    set_mtime(0);
    set_stimecmp(-1);
    csr_write(mie, sti | mti);
    set_stimecmp(1000 * second);
    set_mtimecmp(1001 * second);
    set_mtime(1000 * second - 50000);
    run(S, wait, 0, 0);
    expect("ends waiting", last.cause, INTERRUPT | STI);
    csr_write(mie, 0);
    set_mtimecmp(-1);
    set_stimecmp(-1);
    set_mtime(0);
}
