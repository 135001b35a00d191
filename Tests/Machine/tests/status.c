// mstatus and sstatus: what each write leaves in both, the stacks at traps and returns, fields that cannot hold what is written.
// build: status
// build: status-rv32 rv32

#include "machine.h"

FRAGMENT(both, "mv t0, a0\ncsrw mstatus, t0\ncsrr a0, mstatus\ncsrr a1, sstatus");
FRAGMENT(through_supervisor, "csrw mstatus, a1\ncsrw sstatus, a0\ncsrr a0, mstatus\ncsrr a1, sstatus");
FRAGMENT(supervisor_write, "csrw sstatus, a0\ncsrr a0, sstatus");
FRAGMENT(machine_return, "la t0, 1f\ncsrw mepc, t0\nmret\n.balign 4\n1:");
FRAGMENT(supervisor_return, "la t0, 1f\ncsrw sepc, t0\nsret\n.balign 4\n1:");

// SXL and UXL, and what they are.
#if XLEN == 64
#define XL ((reg)15 << 32)
#define UXL ((reg)2 << 32)
#define SXL ((reg)10 << 32)
#else
#define XL 0
#define UXL 0
#define SXL 0
#endif

void test(void) {
    section("mstatus, each bit");
    for (int bit = 0; bit < XLEN; bit++) {
        if (bit == 17) continue;  // MPRV with MPP of a lower privilege: mprv.c
        if (bit >= 32 && bit < 36) continue;  // UXL and SXL: the oracle has RV32 modes
        observe_trap("bit", M, both, (reg)1 << bit | SXL, 0);
        observe_trap("all but", M, both, ~((reg)1 << bit | MPRV | XL) | SXL, 0);
    }
    section("sstatus, each bit");
    for (int bit = 0; bit < XLEN; bit++) {
        if (bit >= 32 && bit < 36) continue;
        observe_trap("bit", M, through_supervisor, (reg)1 << bit | UXL, SXL & XL);
        observe_trap("bit over ones", M, through_supervisor, (reg)1 << bit | UXL, ~(MPRV | XL) | SXL);
        observe_trap("by S", S, supervisor_write, (reg)1 << bit | UXL, 0);
        observe_trap("all but, by S", S, supervisor_write, ~((reg)1 << bit | XL) | UXL, 0);
    }
    section("MPP");
    for (reg mode = 0; mode < 4; mode++) {
        observe_trap("over U", M, CODE(CSRRW(ZERO, 0x300, A1), CSRRS(ZERO, 0x300, A0), CSRRS(A0, 0x300, ZERO)), MPP(mode), MPP(U));
        observe_trap("written", M, both, MPP(mode), 0);
        if (mode != 2) expect("MPP", last.a0 & MPP(3), MPP(mode));
        else expect("MPP reserved", (last.a0 & MPP(3)) != MPP(2), 1);
    }
    section("mret");
    for (reg mode = 0; mode < 4; mode++)
        for (int bits = 0; bits < 4; bits++) {
            if (mode == 2) continue;
            reg value = MPP(mode) | (bits & 1 ? MPIE : 0) | (bits & 2 ? SPIE | SIE | SPP : 0);
            // The status that `run` sets is the fragment's own way in: it goes in by mret as well.
            observe_run("two returns", M, CODE(CSRRW(ZERO, 0x300, A0), 0x00000297 /* auipc t0, 0 */, 0x01028293 /* addi t0, t0, 16 */,
                CSRRW(ZERO, 0x341, T0), 0x30200073 /* mret */), value, 0);
            expect("privilege after mret", last.cause, mode == U ? ECALL_U : mode == S ? ECALL_S : ECALL_M);
            expect("MPP of the trap", last.status & MPP(3), MPP(mode));
        }
    section("sret");
    for (int bits = 0; bits < 8; bits++) {
        status = (bits & 1 ? SPP : 0) | (bits & 2 ? SPIE : 0) | (bits & 4 ? SIE : 0);
        observe_run("sret from S", S, supervisor_return, 0, 0);
        expect("privilege after sret", last.cause, bits & 1 ? ECALL_S : ECALL_U);
        expect("SPP after sret", last.status & SPP, 0);
        expect("SPIE after sret", last.status & SPIE, SPIE);
        expect("SIE after sret", last.status & SIE, bits & 2 ? SIE : 0);
        observe_run("sret from M", M, supervisor_return, 0, 0);
        expect("privilege after sret from M", last.cause, bits & 1 ? ECALL_S : ECALL_U);
        observe_run("mret from M", M, machine_return, 0, 0);
        observe_run("sret from U", U, supervisor_return, 0, 0);
        expect("sret from U", last.cause, ILLEGAL);
        observe_run("mret from S", S, machine_return, 0, 0);
    }
    status = 0;
    section("trap stack, delegated");
    csr_write(medeleg, 1 << ECALL_U | 1 << BREAKPOINT);
    for (int bits = 0; bits < 8; bits++) {
        status = (bits & 1 ? SPP : 0) | (bits & 2 ? SPIE : 0) | (bits & 4 ? SIE : 0) | MPIE;
        observe_run("ecall", U, CODE(ECALL), 0, 0);
        expect("handler", last.by, S);
        expect("SPP", last.status & SPP, 0);
        expect("SIE", last.status & SIE, 0);
        expect("SPIE", last.status & SPIE, bits & 4 ? SPIE : 0);
        observe_run("ebreak", S, CODE(0x00100073), 0, 0);
        expect("SPP of S", last.status & SPP, SPP);
        observe_run("ebreak in M", M, CODE(0x00100073), 0, 0);
        expect("no delegation from M", last.by, M);
    }
}
