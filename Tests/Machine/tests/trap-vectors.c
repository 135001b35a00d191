// mtvec and stvec: alignment, modes, vectored entries of interrupts, exceptions at the base.
// build: trap-vectors
// build: trap-vectors-rv32 rv32

#include "machine.h"

extern const char machine_vectors[], supervisor_vectors[], machine_handler[], supervisor_handler[];

FRAGMENT(wait, "1: addi a0, a0, -1\nbnez a0, 1b");

static void interrupts_of(reg mode) {
    static const int numbers[] = {SSI, STI, SEI};
    for (unsigned i = 0; i < 3; i++) {
        reg bit = (reg)1 << numbers[i];
        csr_write(mie, bit);
        csr_write(mip, bit);
        observe_run("interrupt", mode, wait, 1000, 0);
        expect("cause", last.cause, INTERRUPT | numbers[i]);
        csr_write(mip, 0);
        csr_write(mie, 0);
    }
}

void test(void) {
    section("writes");
    for (int bit = 0; bit < 13; bit++) {
        if (bit == 1) continue;  // reserved modes are the machine's
        csr_write(mtvec, (reg)machine_handler ^ (reg)1 << bit);
        observe("mtvec", csr_read(mtvec) - (reg)machine_handler);
        csr_write(stvec, (reg)supervisor_handler ^ (reg)1 << bit);
        observe("stvec", csr_read(stvec) - (reg)supervisor_handler);
    }
    csr_write(stvec, -3);
    observe("stvec", csr_read(stvec));
    csr_write(mtvec, machine_vectors + 1);
    csr_write(stvec, supervisor_vectors + 1);
    section("machine, vectored");
    status = SIE | MPIE;
    interrupts_of(U);
    interrupts_of(S);
    interrupts_of(M);
    observe_run("exception", M, CODE(ECALL), 0, 0);
    expect("at the base", last.vector, (reg)machine_vectors + 4);
    section("supervisor, vectored");
    csr_write(mideleg, -1);
    interrupts_of(U);
    expect("handler", last.by, S);
    expect("entry", last.vector, (reg)supervisor_vectors + 4 * SEI + 4);
    interrupts_of(S);
    csr_write(medeleg, 1 << ECALL_U);
    observe_run("exception", U, CODE(ECALL), 0, 0);
    expect("at the base", last.vector, (reg)supervisor_vectors + 4);
}
