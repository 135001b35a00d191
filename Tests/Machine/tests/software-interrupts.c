// Software interrupts: msip of the CLINT, SSIP from machine mode and from the supervisor itself; when each is taken.
// build: software-interrupts
// build: software-interrupts-rv32 rv32

#include "machine.h"

FRAGMENT(raise_own, "csrsi sip, 2\nnop\nnop");
FRAGMENT(raise_then_enable, "csrsi sip, 2\nli a0, 1\ncsrsi sstatus, 2\nli a0, 2");
FRAGMENT(enable_source, "csrsi sip, 2\ncsrsi sie, 2\nli a0, 2");
FRAGMENT(disabled_in_time, "csrci sstatus, 2\ncsrsi sip, 2\nli a0, 1\ncsrci sip, 2\ncsrsi sstatus, 2\nli a0, 2");
FRAGMENT(return_enables, "csrsi sip, 2\nla t0, 1f\ncsrw sepc, t0\nli t0, 0x120\ncsrs sstatus, t0\nsret\n.balign 4\n1: li a0, 3");
FRAGMENT(own_msip, "li t0, 0x2000000\nli t1, 1\nsw t1, 0(t0)\nlw a0, 0(t0)\n1: addi a1, a1, -1\nbnez a1, 1b");
FRAGMENT(wait, "wfi");

void test(void) {
    const reg ssi = 1 << SSI, msi = 1 << MSI;
    section("msip");
    for (int bit = 0; bit < 32; bit++) {
        MSIP = (u32)1 << bit;
        observe("msip", MSIP);
        observe("mip", csr_read(mip) & msi);
    }
    MSIP = 0;
    expect("MSIP", csr_read(mip) & msi, 0);
    csr_write(mip, msi);
    expect("MSIP not by mip", csr_read(mip) & msi, 0);
    csr_write(mie, msi);
    static const reg modes[] = {M, S, U};
    for (int m = 0; m < 3; m++)
        for (int enabled = 0; enabled < 2; enabled++) {
            status = enabled ? MPIE : 0;
            MSIP = 1;
            observe_run("pending at entry", modes[m], CODE(0x13, 0x13), 0, 0);
            expect("pending at entry", last.cause == (INTERRUPT | MSI), modes[m] < M || enabled);
            MSIP = 0;
            run(modes[m], own_msip, 0, 1000);
            expect("its own", last.cause == (INTERRUPT | MSI), modes[m] < M || enabled);
            MSIP = 0;
        }
    csr_write(mie, 0);
    section("ssip");
    csr_write(mideleg, ssi);
    for (int source = 0; source < 2; source++)
        for (int enabled = 0; enabled < 2; enabled++) {
            csr_write(mie, source ? ssi : 0);
            status = enabled ? SIE : 0;
            csr_write(mip, 0);
            observe_run("its own", S, raise_own, 0, 0);
            if (source && enabled) { expect("at once", last.cause, INTERRUPT | SSI); expect("epc", last.epc, (reg)raise_own + 4); }
            csr_write(mip, 0); csr_write(mie, source ? ssi : 0);
            observe_run("then enabled", S, raise_then_enable, 0, 0);
            if (source && !enabled) { expect("at once", last.a0, 1); expect("epc", last.epc, (reg)raise_then_enable + 12); }
            csr_write(mip, 0); csr_write(mie, 0);
            observe_run("source enabled", S, enable_source, 0, 0);
            if (enabled) { expect("at once", last.a0, 0); expect("epc", last.epc, (reg)enable_source + 8); }
            csr_write(mip, 0); csr_write(mie, source ? ssi : 0);
            observe_run("disabled in time", S, disabled_in_time, 0, 0);
            expect("not taken", last.cause, ECALL_S);
            csr_write(mip, 0); csr_write(mie, source ? ssi : 0);
            if (!enabled) {
                observe_run("enabled by sret", S, return_enables, 0, 0);
                if (source) { expect("at once", last.cause, INTERRUPT | SSI); expect("before the next", last.a0, 0); }
            }
            csr_write(mip, ssi); csr_write(mie, source ? ssi : 0);
            observe_run("from M, in U", U, CODE(0x13), 0, 0);
            expect("in U", last.cause == (INTERRUPT | SSI), source);
            observe_run("from M, in M", M, CODE(0x13), 0, 0);
            expect("never in M", last.cause, ECALL_M);
            if (source) {
                status = 0;
                observe_run("wfi, pending but not taken", S, wait, 0, 0);
                expect("goes on", last.cause, ECALL_S);
            }
            csr_write(mip, 0);
        }
}
