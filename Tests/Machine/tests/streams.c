// Random privileged streams: arithmetic, loads and stores through a window of pages, edits of its entries and of PMP entries, CSRs, traps
// that go on behind what raised them, changes of privilege. Each seed ends by hashing registers, CSRs, entries and memory.
//
// The same seed is the same stream everywhere. There are no counters, timers or interrupts in it, and every edit of a table is followed
// by a fence before anything can see it.
// build: streams
// build: streams-more -DFIRST=1000 -DSEEDS=100
// build: streams-rv32 rv32

#include "streams.h"

#ifndef FIRST
#define FIRST 1
#define SEEDS 100
#endif

struct stream_context stream;
reg supervisor_seen[4];

asm(".macro all op, base, from\n"
    ".set number, 1\n"
    ".irp r, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30, x31\n"
    ".ifnc \\r, \\base\n\\op \\r, number * WORD(\\base)\n.endif\n"
    ".set number, number + 1\n.endr\n.endm\n"
    ".macro kept op, base\n.set number, 33\n"
    ".irp r, ra, gp, tp, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11\n\\op \\r, number * WORD(\\base)\n.set number, number + 1\n.endr\n.endm\n"
#if __riscv_xlen == 64
    ".set WORD, 8\n.macro st r, p:vararg\nsd \\r, \\p\n.endm\n.macro ld_ r, p:vararg\nld \\r, \\p\n.endm\n"
#else
    ".set WORD, 4\n.macro st r, p:vararg\nsw \\r, \\p\n.endm\n.macro ld_ r, p:vararg\nlw \\r, \\p\n.endm\n"
#endif
    ".text\n.globl stream_resume\nstream_resume:\n"
    "la t0, stream\nkept st, t0\nst sp, 48 * WORD(t0)\ncsrw mscratch, t0\n"
    "ld_ t1, 0(t0)\ncsrw mepc, t1\n"
    "li t1, 3 << 11\ncsrc mstatus, t1\nslli a0, a0, 11\ncsrs mstatus, a0\n"
    "mv x2, t0\nall ld_, x2\nld_ x2, 2 * WORD(x2)\nmret\n"
    ".balign 64\n.globl stream_machine\nstream_machine:\n"
    "csrrw x2, mscratch, x2\nall st, x2\ncsrr t0, mscratch\nst t0, 2 * WORD(x2)\ncsrr t0, mepc\nst t0, 0(x2)\n"
    "csrr t0, mstatus\nst t0, 32 * WORD(x2)\nli t0, 1 << 17\ncsrc mstatus, t0\n"
    "mv t0, x2\nkept ld_, t0\nld_ sp, 48 * WORD(t0)\nret\n"
    // The supervisor's handler: seen = (seen ^ value) * 5 + 1 for each CSR; then behind the instruction, or to where x31 says.
    ".pushsection .fragments, \"ax\"\n.option push\n.option norvc\n.balign 64\n.globl stream_supervisor\nstream_supervisor:\n"
    "csrrw x2, sscratch, x2\nst x3, 1 * WORD(x2)\nst x4, 2 * WORD(x2)\n"
    "ld_ x4, 0(x2)\n"
    ".irp csr, scause, sepc, stval, sstatus\ncsrr x3, \\csr\nxor x4, x4, x3\nslli x3, x4, 2\nadd x4, x4, x3\naddi x4, x4, 1\n.endr\n"
    "st x4, 0(x2)\n"
    "ld_ x3, 3 * WORD(x2)\naddi x3, x3, -1\nst x3, 3 * WORD(x2)\nbgez x3, 1f\n"
    ".globl stream_leave\nstream_leave: ecall\n"
    "1: sfence.vma\ncsrr x3, scause\naddi x3, x3, -12\nbeqz x3, 2f\naddi x3, x3, 11\nbeqz x3, 2f\naddi x3, x3, 1\nbeqz x3, 2f\n"
    "csrr x3, sepc\naddi x3, x3, 4\ncsrw sepc, x3\nj 3f\n2: csrw sepc, x31\n3: ld_ x3, 1 * WORD(x2)\nld_ x4, 2 * WORD(x2)\n"
    "csrrw x2, sscratch, x2\nsret\n.globl stream_supervisor_end\nstream_supervisor_end:\n.option pop\n.popsection\n");
extern const char stream_machine[], machine_handler[];

// ---- Random numbers

static u64 seed;
static u32 next(void) {
    seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17;
    return seed >> 20;
}
static u32 below(u32 n) { return next() % n; }
static int any(void) { return ANY + below(ANY_COUNT); }

// ---- Writing the stream

static u32 *out;
static int updates_tables;  // hardware sets A and D in this seed

static void emit(u32 word) { *out++ = word; }

// As short as one instruction for small values, of one length for all others.
static void load_constant(int rd, u64 value) {
    if (value < 2048) { emit(i_type(0x13, rd, 0, value)); return; }
#if XLEN == 64
    emit(i_type(0x13, rd, 0, value >> 55));
    for (int shift = 44; shift >= 0; shift -= 11) {
        emit(i_type(0x1013, rd, rd, 11));
        emit(i_type(0x6013, rd, rd, value >> shift & 2047));
    }
#else
    emit((u32)((value + 0x800) & 0xfffff000) | rd << 7 | 0x37);
    emit(i_type(0x13, rd, rd, value & 0xfff));
#endif
}

static void arithmetic(void) {
    static const u32 words[] = {
        0x33, 0x40000033, 0x1033, 0x2033, 0x3033, 0x4033, 0x5033, 0x40005033, 0x6033, 0x7033,
        0x02000033, 0x02001033, 0x02002033, 0x02003033, 0x02004033, 0x02005033, 0x02006033, 0x02007033,
#if XLEN == 64
        0x3b, 0x4000003b, 0x103b, 0x503b, 0x4000503b, 0x0200003b, 0x0200403b, 0x0200503b, 0x0200603b, 0x0200703b,
#endif
    };
    if (below(2)) emit(r_type(words[below(sizeof words / 4)], any(), any(), any()));
    else {
        static const u32 immediates[] = {0x13, 0x2013, 0x3013, 0x4013, 0x6013, 0x7013};
        emit(i_type(immediates[below(6)], any(), any(), below(4096)));
    }
}

// A pointer anew: frames, their users' alias, window pages, near edges or not.
static reg some_address(void) {
    reg page;
    switch (below(4)) {
    case 0: page = DATA + below(2) * PAGE; break;
    case 1: page = DATA - RAM + USER_ALIAS + below(2) * PAGE; break;
    default: page = WINDOW + below(WINDOW_PAGES) * PAGE;
    }
    switch (below(3)) {
    case 0: return page + below(16);
    case 1: return page + PAGE - 1 - below(16);
    default: return page + (below(PAGE) & ~7);
    }
}

// Nothing of the machine's is there, not by chance either.
static reg wild_address(void) { return ((reg)((u64)next() << 32 | next())) | (XLEN == 64 ? (reg)1 << 40 : 0x30000000); }

static void new_pointer(void) {
    if (below(8) == 0) load_constant(WILD + below(2), wild_address());
    else load_constant(POINTER + below(POINTER_COUNT), some_address());
}

static int base(void) { return below(12) == 0 ? WILD + (int)below(2) : POINTER + (int)below(POINTER_COUNT); }

static void access(void) {
    static const u32 loads[] = {0x0003, 0x1003, 0x2003, 0x4003, 0x5003, 0x3003, 0x6003};
    static const u32 stores[] = {0x0023, 0x1023, 0x2023, 0x3023};
    const int wide = XLEN == 64;
    int offset = (int)below(64) - 32;
    switch (below(8)) {
    case 0:
        // The oracle sets A by the load of an AMO whose store is refused: only where tables are not updated.
        if (!updates_tables) emit(r_type((wide && below(2) ? 0x302f : 0x202f) | below(2) * 0x08000000, any(), base(), any()));
        break;
    case 1: emit(r_type(0x1000202f, any(), base(), 0)); break;  // lr.w
    case 2: emit(i_type(below(2) ? 0x3007 : 0x2007, below(32), base(), offset)); break;
    case 3: emit(s_type(below(2) ? 0x3027 : 0x2027, below(32), base(), offset)); break;
    case 4: case 5: emit(i_type(loads[below(wide ? 7 : 5)], any(), base(), offset)); break;
    default: emit(s_type(stores[below(wide ? 4 : 3)], any(), base(), offset));
    }
}

static void floating(void) {
    static const u32 words[] = {0x02007053, 0x0a007053, 0x12007053, 0x7053, 0x8007053, 0x10007053, 0x22000053, 0x22001053, 0xa2002053, 0xd2007053};
    u32 word = words[below(10)];
    int to_integer = word == 0xa2002053, from_integer = word == 0xd2007053;
    emit(r_type(word, to_integer ? any() : (int)below(32), from_integer ? any() : (int)below(32), from_integer ? 0 : below(32)));
}

static void fence(void) { emit(0x12000073); }

// An entry of the window's last table: data that is never executed, or code that is never written; any other flag.
static void edit_entry(void) {
    int page = below(WINDOW_PAGES);
    pte flags = next() & 0x3ff & ~(pte)G;
    u64 physical;
    if (below(3)) { physical = DATA + below(2) * PAGE; flags &= ~(pte)X; }
    else { physical = LANDING + below(2) * PAGE; flags &= ~(pte)W; }
    if (below(4)) flags |= V;
    if (below(2)) flags |= AD;
    u64 value = leaf(physical, flags);
#if XLEN == 64
    if (below(16) == 0) value |= (u64)1 << (54 + below(10));
#endif
    load_constant(SEQUENCE, (reg)entry(WINDOW + page * PAGE, 0));
    load_constant(ANY, value);
    emit(s_type(XLEN == 64 ? 0x3023 : 0x2023, ANY, SEQUENCE, 0));
    fence();
}

// One of the entries 0 to 2 over a part of the data.
static void edit_pmp(void) {
    int n = below(3);
    reg address = DATA + (below(2 * PAGE) & ~3u), size = 8u << below(8);
    reg config = below(8);
    if ((config & 3) == 2) config |= 1;
    reg shape = below(4);
    if (shape == 1 && n == 0) shape = 2;  // a TOR of entry 0 begins at address 0
    reg value = shape == 3 ? (address & ~(size - 1)) >> 2 | (size / 8 - 1) : address >> 2;
    load_constant(SEQUENCE, value);
    emit(CSRRW(0, 0x3b0 + n, SEQUENCE));
    load_constant(SEQUENCE, (reg)0xff << 8 * n);
    emit(CSRRC(0, 0x3a0, SEQUENCE));
    load_constant(SEQUENCE, (config | shape << 3) << 8 * n);
    emit(CSRRS(0, 0x3a0, SEQUENCE));
    fence();
}

static void csr(void) {
    // Bits that may change freely; whole registers where nothing in the test depends on them.
    static const struct { u32 number; reg bits; } some[] = {
        {0x300, SIE | SPIE | MPIE | SPP | (reg)3 << 11 | FS(3) | MPRV | SUM | MXR}, {0x100, SIE | SPIE | SPP | FS(3) | SUM | MXR},
        {0x300, MPRV | SUM | MXR | FS(3)}, {0x100, SUM | MXR | FS(3)},
        {0x302, 0xb3ff & ~(reg)(1 << ECALL_S)}, {0x303, 0x222}, {0x344, 1 << SSI | 1 << STI | 1 << SEI}, {0x144, 0x222},
        {0x341, ~(reg)1}, {0x342, -1}, {0x343, -1}, {0x141, ~(reg)1}, {0x142, -1}, {0x143, -1}, {0x306, 7}, {0x106, 7}, {0x10a, 0xc0}, {0x30a, 0xc0},
        {0x001, 31}, {0x002, 7}, {0x003, 255}, {0x8ff, -1}, {0xc01, 0}, {0xf14, 0}, {0xf11, -1}, {0x180, 0}};
    unsigned i = below(sizeof some / sizeof *some);
    u32 number = some[i].number;
    if (number == 0xc01 || number == 0x180) number = 0x8ff;
    reg value = some[i].bits & ((u64)next() << 32 | next());
    // A machine may call the floating-point state dirty when it is not: it is off or dirty here.
    if ((number == 0x300 || number == 0x100) && value & FS(3)) value |= FS(3);
    load_constant(SEQUENCE, value);
    if (below(3)) emit(below(2) ? CSRRS(any(), number, SEQUENCE) : CSRRC(any(), number, SEQUENCE));
    else if (number != 0x300 && number != 0x100) emit(CSRRW(any(), number, SEQUENCE));
    else emit(CSRRS(any(), number, 0));
}

// Another address space, with the same tables.
static void switch_space(void) {
    load_constant(SEQUENCE, satp(below(4)));
    emit(CSRRW(0, 0x180, SEQUENCE));
    if (below(2)) emit(0x12000073);
}

static void branch(void) {
    static const u32 words[] = {0x63, 0x1063, 0x4063, 0x5063, 0x6063, 0x7063};
    int skipped = 1 + below(3);
    emit(b_type(words[below(6)], any(), any(), 4 + 4 * skipped));
    while (skipped--) arithmetic();
}

// Where a jump may go: no data is ever executed.
static reg jump_address(void) {
    reg offset = below(3) == 0 ? PAGE - 1 - below(8) : below(PAGE);
    switch (below(8)) {
    case 0: return wild_address();
    case 1: return 0x40000000 + offset - USER_ALIAS;  // nothing is there
    case 2: return LANDING + (offset & ~3);
    case 3: return LANDING - RAM + USER_ALIAS + (offset & ~3);
    default: return WINDOW + below(WINDOW_PAGES) * PAGE + offset;
    }
}

// auipc x31; addi x31: behind the jump.
static void wild_jump(void) {
    load_constant(SEQUENCE, jump_address());
    emit(0x17 | ONWARD << 7);
    emit(i_type(0x13, ONWARD, ONWARD, 12));
    emit(i_type(0x67, any(), SEQUENCE, 0));
}

static void privilege(void) {
    switch (below(4)) {
    case 0: emit(ECALL); break;
    case 1: emit(0x00100073); break;
    default: {
        // mret or sret to the instruction behind it, as seen by the privilege that it enters.
        int machine = below(2);
        reg mode = machine ? (reg[]){U, S, M}[below(3)] : below(2);
        u32 *address_words = out;
        load_constant(SEQUENCE, CODE_AT);  // in its place comes the address, when it is known
        emit(CSRRW(0, machine ? 0x341 : 0x141, SEQUENCE));
        load_constant(SEQUENCE, machine ? (reg)3 << 11 : SPP);
        emit(CSRRC(0, machine ? 0x300 : 0x100, SEQUENCE));
        load_constant(SEQUENCE, machine ? mode << 11 : mode << 8);
        emit(CSRRS(0, machine ? 0x300 : 0x100, SEQUENCE));
        emit(machine ? 0x30200073 : 0x10200073);
        u32 *end = out;
        out = address_words;
        load_constant(SEQUENCE, (reg)end - (mode == U ? RAM - USER_ALIAS : 0));
        out = end;
    }
    }
}

static void write_stream(void) {
    out = (u32 *)CODE_AT;
    for (int slot = 0; slot < 150; slot++) {
        switch (below(24)) {
        case 0: case 1: case 2: case 3: new_pointer(); break;
        case 4: case 5: edit_entry(); break;
        case 6: edit_pmp(); break;
        case 7: case 8: case 9: csr(); break;
        case 10: switch_space(); break;
        case 11: branch(); break;
        case 12: wild_jump(); break;
        case 13: case 14: privilege(); break;
        case 15: floating(); break;
        case 16: case 17: arithmetic(); break;
        default: access();
        }
    }
    for (int i = 0; i < 8; i++) emit(ECALL);
    fence_code();
}

// ---- Running it

static void observe_state(void) {
    for (int i = 0; i < 32; i++) observe("x", i ? stream.x[i] : 0);
    csr_set(mstatus, FS(3));
#define READ(name) observe(#name, csr_read(name))
    READ(medeleg); READ(mideleg); READ(mip); READ(mcounteren); READ(scounteren); READ(sepc); READ(scause); READ(stval); READ(satp);
    READ(mcause); READ(mtval); READ(pmpcfg0); READ(pmpaddr0); READ(pmpaddr1); READ(pmpaddr2); READ(fcsr);
    observe("supervisor's traps", supervisor_seen[0]);
    observe("left", supervisor_seen[3]);
    for (int page = 0; page < WINDOW_PAGES; page++) observe("entry", *entry(WINDOW + page * PAGE, 0));
    for (int i = -DATA_MARGIN; i < 2048 + DATA_MARGIN; i++) observe("data", ((volatile u32 *)DATA)[i]);
}

static void run_seed(u32 number) {
    seed = (number + 1) * 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 8; i++) next();
    section_number("seed", number);
    csr_write(satp, 0);
    csr_write(medeleg, 0); csr_write(mideleg, 0); csr_write(mip, 0); csr_write(mcounteren, 0); csr_write(scounteren, 0);
    csr_write(pmpcfg0, (reg)0x1f << 24); csr_write(pmpaddr0, DATA >> 2); csr_write(pmpaddr1, DATA >> 2); csr_write(pmpaddr2, DATA >> 2); csr_write(pmpaddr3, -1);
    csr_write(sepc, 0); csr_write(scause, 0); csr_write(stval, 0); csr_write(0x30a, 0); csr_write(0x10a, 0);
    csr_write(mstatus, FS(3) | (csr_read(mstatus) & ((u64)15 << 32)));
    updates_tables = below(2);
#if XLEN == 64
    if (updates_tables) csr_set(0x30a, (reg)1 << 61);
    paging(3 + below(3));
#else
    csr_write(0x31a, updates_tables ? (reg)1 << 29 : 0);
    paging(2);
#endif
    for (int i = -DATA_MARGIN; i < 2048 + DATA_MARGIN; i++) ((volatile u32 *)DATA)[i] = next();
    for (int i = 0; i < 2048; i++) ((volatile u32 *)LANDING)[i] = 0x000f8067;
    for (int page = 0; page < WINDOW_PAGES; page++)
        map(WINDOW + page * PAGE, page & 4 ? LANDING + (page & 1) * PAGE : DATA + (page & 1) * PAGE, 0,
            V | R | AD | (page & 4 ? X : W) | (page & 2 ? FOR_U : 0));
    for (int i = 1; i < 32; i++) stream.x[i] = i < POINTER ? (reg)next() : i < WILD ? some_address() : i < SEQUENCE ? wild_address() : next();
    asm volatile(".option push\n.option arch, +d\ncsrw fcsr, zero\nfcvt.d.w f0, zero\n"
        ".irp r, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\nfadd.d f\\r, f0, f0\n.endr\n"
        ".option pop");
    write_stream();
    csr_write(satp, satp(0));
    csr_write(sscratch, supervisor_seen);
    csr_write(stvec, stream_supervisor);
    supervisor_seen[0] = number;
    supervisor_seen[3] = 400;
    csr_write(mtvec, stream_machine);
    stream.x[0] = CODE_AT;
    reg mode = M;
    const reg end = (reg)(out - 8);
    for (int traps = 0; traps < 400; traps++) {
        fence_all();
        stream_resume(mode);
        reg pc = stream.x[0], cause = csr_read(mcause), place = pc;
        mode = stream.status >> 11 & 3;
        if (mode == U && place < RAM) place += RAM - USER_ALIAS;
        observe("mode and cause", mode << 8 | cause);
        observe("pc", pc);
        observe("tval", csr_read(mtval));
        observe("status", stream.status);
        if (place >= end && place < end + 64) break;
        if (pc == (reg)stream_leave) break;
        int fetch = cause == FETCH_ACCESS || cause == FETCH_PAGE || cause == FETCH_MISALIGNED;
        place = fetch ? stream.x[ONWARD] : pc + 4;
        if (cause == ECALL_U || cause == ECALL_S || cause == ECALL_M) {
            // Into another privilege, at the address where it sees the stream.
            reg to = (reg[]){U, S, S, M, M, M}[below(6)];
            if (mode == U && to != U) place += RAM - USER_ALIAS;
            if (mode != U && to == U) place -= RAM - USER_ALIAS;
            mode = to;
        }
        stream.x[0] = place;
    }
    csr_write(mscratch, &last);
    csr_write(mtvec, machine_handler);
    observe_state();
}

void test(void) {
    set_mtimecmp(-1);  // it is 0 after reset, or anything
    for (u32 number = FIRST; number < FIRST + SEEDS; number++) run_seed(number);
}
