// mip, mie, sip, sie against mideleg: which bits can be written by whom, and who sees them.
// build: interrupt-csrs
// build: interrupt-csrs-rv32 rv32

#include "machine.h"

#define OF_BASE 0xaaa  // the oracle has bits of other extensions too

FRAGMENT(write_sip, "csrw sip, a0\ncsrr a0, sip\ncsrr a1, sie");
FRAGMENT(write_sie, "csrw sie, a0\ncsrr a0, sip\ncsrr a1, sie");
FRAGMENT(set_sip, "csrs sip, a0\ncsrr a0, sip\ncsrr a1, sie");
FRAGMENT(clear_sip, "csrc sip, a0\ncsrr a0, sip\ncsrr a1, sie");

static void see(const char *what) {
    observe(what, csr_read(mip) & OF_BASE);
    observe("mie", csr_read(mie) & OF_BASE);
    observe("sip", csr_read(sip) & OF_BASE);
    observe("sie", csr_read(sie) & OF_BASE);
}

void test(void) {
    set_mtimecmp(-1);  // it is 0 after reset, or anything
    section("mideleg");
    for (int bit = 0; bit < XLEN; bit++) {
        csr_write(mideleg, (reg)1 << bit);
        observe("bit", csr_read(mideleg) & OF_BASE);
    }
    csr_write(mideleg, -1);
    observe("ones", csr_read(mideleg) & OF_BASE);
    csr_write(mideleg, 0);
    observe("none", csr_read(mideleg));
    static const reg delegated[] = {0, 1 << SSI, 1 << STI, 1 << SEI, 1 << SSI | 1 << STI | 1 << SEI};
    for (unsigned d = 0; d < sizeof delegated / sizeof *delegated; d++) {
        section_number("delegated", delegated[d]);
        csr_write(mideleg, delegated[d]);
        for (int bit = 0; bit < 16; bit++) {
            reg value = (reg)1 << bit;
            csr_write(mip, 0); csr_write(mie, 0);
            csr_write(mip, value); see("mip written");
            csr_write(mip, -1); csr_clear(mip, value); see("mip cleared");
            csr_write(mip, 0);
            csr_write(mie, value); see("mie written");
            csr_write(mie, OF_BASE); see("mie all");
            csr_write(mie, 0);
            csr_write(sie, value); see("sie written");
            csr_write(mie, OF_BASE); csr_write(sie, value); see("sie over ones");
            csr_write(sie, 0); see("sie zero over ones");
            csr_write(mie, 0);
            csr_write(sip, value); see("sip written");
            csr_write(mip, -1); csr_write(sip, 0); see("sip cleared");
            csr_write(mip, 0);
            observe_trap("sip by S", S, write_sip, value, 0); see("then");
            observe_trap("sie by S", S, write_sie, value, 0); see("then");
            csr_write(mie, 0); csr_write(mip, 0);
            observe_trap("set by S", S, set_sip, value, 0); see("then");
            csr_write(mip, -1);
            observe_trap("clear by S", S, clear_sip, value, 0); see("then");
            csr_write(mip, 0);
        }
        csr_write(mie, -1); csr_write(mip, -1);
        expect("sie shows what is delegated", csr_read(sie) & 0x222, delegated[d]);
        expect("sip shows what is delegated", csr_read(sip) & 0x222, delegated[d]);
        csr_write(sip, 0);
        expect("SSIP by sip", csr_read(mip) & 2, delegated[d] & 2 ? 0 : 2);
        expect("STIP not by sip", csr_read(mip) & 0x20, 0x20);
        expect("SEIP not by sip", csr_read(mip) & 0x200, 0x200);
        csr_write(mie, 0); csr_write(mip, 0);
    }
}
