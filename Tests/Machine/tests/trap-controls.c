// TVM, TW, TSR: what they make illegal, and for whom.
// build: trap-controls
// build: trap-controls-rv32 rv32

#include "machine.h"

FRAGMENT(read_satp, "csrr a0, satp");
FRAGMENT(write_satp, "csrw satp, x0");
FRAGMENT(fence, "sfence.vma");
FRAGMENT(fence_address, "sfence.vma a0, a1");
FRAGMENT(invalidate, ".word 0x16b50073");        // sinval.vma a0, a1
FRAGMENT(invalidate_before, ".word 0x18000073");  // sfence.w.inval
FRAGMENT(invalidate_after, ".word 0x18100073");   // sfence.inval.ir
FRAGMENT(supervisor_return, "la t0, 1f\ncsrw sepc, t0\nsret\n.balign 4\n1:");
FRAGMENT(machine_return, "mret");
FRAGMENT(wait, "wfi");
FRAGMENT(fence_code_, "fence.i");

void test(void) {
    static const struct { const char *what, *code; } all[] = {
        {"read satp", read_satp}, {"write satp", write_satp}, {"sfence.vma", fence}, {"sfence.vma a0, a1", fence_address},
        {"sinval.vma", invalidate}, {"sfence.w.inval", invalidate_before}, {"sfence.inval.ir", invalidate_after},
        {"sret", supervisor_return}, {"fence.i", fence_code_}};
    static const reg controls[] = {0, TVM, TW, TSR, TVM | TW | TSR};
    static const reg modes[] = {U, S, M};
    for (unsigned c = 0; c < sizeof controls / sizeof *controls; c++) {
        section_number("controls", controls[c] >> 20);
        status = controls[c] | SPP;
        for (unsigned m = 0; m < 3; m++)
            for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
                // The oracle lets users begin and end invalidations.
                int brackets = modes[m] == U && (all[i].code == invalidate_before || all[i].code == invalidate_after);
                if (!brackets) observe_run(all[i].what, modes[m], all[i].code, 0, 0);
                else { run(U, all[i].code, 0, 0); expect("bracket of an invalidation by U", last.cause, ILLEGAL); }
            }
        run(S, read_satp, 0, 0);
        expect("satp by S", last.cause, status & TVM ? ILLEGAL : ECALL_S);
        run(S, fence, 0, 0);
        expect("sfence.vma by S", last.cause, status & TVM ? ILLEGAL : ECALL_S);
        run(U, fence, 0, 0);
        expect("sfence.vma by U", last.cause, ILLEGAL);
        run(S, supervisor_return, 0, 0);
        expect("sret by S", last.cause, status & TSR ? ILLEGAL : ECALL_S);
        run(M, read_satp, 0, 0);
        expect("satp by M", last.cause, ECALL_M);
        observe_run("mret by S", S, machine_return, 0, 0);
        expect("mret by S", last.cause, ILLEGAL);
    }
    // Something pends, so that waiting ends at once.
    csr_write(mie, 1 << SSI);
    csr_write(mip, 1 << SSI);
    csr_write(mideleg, 1 << SSI);
    for (int tw = 0; tw < 2; tw++) {
        section_number("wfi, TW", tw);
        status = tw ? TW : 0;
        observe_run("by M", M, wait, 0, 0);
        expect("by M", last.cause, ECALL_M);
        observe_run("by S", S, wait, 0, 0);
        if (!tw) expect("by S", last.cause, ECALL_S);
    }
    csr_write(mip, 0);
    // A user waits with nothing pending: with TW an exception, within a bound.
    section("wfi, TW, nothing pending");
    status = TW;
    observe_run("by U", U, wait, 0, 0);
    expect("by U", last.cause, ILLEGAL);
    observe_run("by S", S, wait, 0, 0);
    expect("by S", last.cause, ILLEGAL);
}
