// mstatus.FS: what it makes illegal, what makes it dirty.
// build: float-state
// build: float-state-rv32 rv32

#include "machine.h"

FRAGMENT(load, ".option arch, +d\nfld f1, 0(a0)");
FRAGMENT(store, ".option arch, +d\nfsd f1, 0(a0)");
FRAGMENT(add, ".option arch, +d\nfadd.d f1, f2, f3");
FRAGMENT(move, ".option arch, +d\nfmv.w.x f1, a0");
FRAGMENT(out, ".option arch, +d\nfmv.x.w a0, f1");
FRAGMENT(compare, ".option arch, +d\nfeq.d a0, f1, f2");
FRAGMENT(inexact, ".option arch, +d\nli a0, 3\nfcvt.s.w f1, a0\nfdiv.s f2, f1, f1\nli a0, 0x7fffffff\nfcvt.s.w f1, a0");
FRAGMENT(flags, "csrr a0, fflags");
FRAGMENT(set_flags, "csrw fflags, a0");
FRAGMENT(mode_, "csrr a0, frm");
FRAGMENT(set_mode, "csrw frm, a0\ncsrr a0, fcsr");
FRAGMENT(whole, "csrw fcsr, a0\ncsrr a0, fcsr");
FRAGMENT(bad_rounding, ".option arch, +d\ncsrw frm, a0\nfadd.d f1, f2, f3");
FRAGMENT(dirty_by_csr, "csrr a0, sstatus\ncsrsi fflags, 1\ncsrr a1, sstatus");

void test(void) {
    static const struct { const char *what, *code; } all[] = {
        {"fld", load}, {"fsd", store}, {"fadd.d", add}, {"fmv.w.x", move}, {"fmv.x.w", out}, {"feq.d", compare}, {"inexact", inexact},
        {"fflags", flags}, {"write fflags", set_flags}, {"frm", mode_}, {"write frm", set_mode}, {"fcsr", whole}, {"dirty", dirty_by_csr}};
    static const reg modes[] = {M, S, U};
    for (reg fs = 0; fs < 4; fs++)
        for (int m = 0; m < 3; m++) {
            section_number("FS, mode", fs << 4 | modes[m]);
            for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
                if (all[i].code == dirty_by_csr && modes[m] == U) continue;
                status = FS(fs);
                // What does not change the state may be called dirty, or not.
                if (all[i].code == out || all[i].code == compare || all[i].code == store) observe_trap(all[i].what, modes[m], all[i].code, SCRATCH, 0);
                else observe_run(all[i].what, modes[m], all[i].code, SCRATCH, 0);
                if (!fs) expect(all[i].what, last.cause, ILLEGAL);
                else {
                    expect(all[i].what, last.cause, modes[m] == M ? ECALL_M : modes[m] == S ? ECALL_S : ECALL_U);
                    const char *c = all[i].code;
                    if (c == load || c == add || c == move || c == set_flags || c == set_mode || c == whole)
                        expect("dirty", last.status & FS(3), FS(3));
                    if (last.status & FS(3)) expect("SD", !!(last.status & INTERRUPT), (last.status & FS(3)) == FS(3));
                }
            }
        }
    // A load that faults has not written its register.
    FRAGMENT(load_half, ".option arch, +d\nflw f1, 0(a0)");
    for (reg fs = 1; fs < 4; fs++)
        for (int m = 0; m < 3; m++) {
            section_number("loads that fault", fs << 4 | modes[m]);
            status = FS(fs);
            observe_run("fld", modes[m], load, 0x40000000, 0);
            expect("fld", last.cause, LOAD_ACCESS);
            expect("FS", last.status & FS(3), FS(fs));
            observe_run("flw", modes[m], load_half, 0x40000000, 0);
            expect("FS", last.status & FS(3), FS(fs));
            observe_run("fadd.d without a rounding mode", modes[m], CODE(0x02515053 | 1 << 7), 0, 0);
            expect("illegal", last.cause, ILLEGAL);
            expect("FS", last.status & FS(3), FS(fs));
        }
    section("rounding modes");
    status = FS(1);
    for (reg mode = 0; mode < 8; mode++) {
        observe_trap("frm", M, bad_rounding, mode, 0);
        expect("frm", last.cause, mode > 4 ? ILLEGAL : ECALL_M);
    }
    run(M, set_mode, 0, 0);
}
