// What every test uses: the console, the hash of what was observed, page tables. machine.h is the manual.

#include "machine.h"

extern const u32 show_details;
extern u32 generated[16];
reg status;
static char open_section[48];
static u64 hash, total = 1;
static u32 failures;

// ---- The console, and the end

#ifdef VIRT

#define UART ((volatile u8 *)(reg)0x10000000)
#define FINISHER (*(volatile u32 *)(reg)0x100000)

static void put(char c) { *UART = c; }

static void end(u32 code) { for (;;) FINISHER = code ? code << 16 | 0x3333 : 0x5555; }

#else  // HTIF: device 1 is the console, device 0 ends the machine

extern volatile u32 tohost[2], fromhost[2];

static void htif(u32 high, u32 low) {
#if XLEN == 64
    *(volatile u64 *)tohost = (u64)high << 32 | low;
#else
    tohost[0] = low;
    tohost[1] = high;
#endif
}

static void put(char c) {
    htif(0x01010000, (u8)c);
    // The host answers; a host that does not must not stop the test.
    for (int i = 0; i < 1000 && !fromhost[1]; i++);
    fromhost[0] = 0;
    fromhost[1] = 0;
}

static void end(u32 code) { for (;;) htif(0, code << 1 | 1); }

#endif

static void print(const char *text) { while (*text) put(*text++); }

static void print_hex(u64 value) {
    int digits = 1;
    while (digits < 16 && value >> 4 * digits) digits++;
    while (digits--) put("0123456789abcdef"[value >> 4 * digits & 15]);
}

static void print_pair(const char *name, u64 value) { print(name); put(' '); print_hex(value); put('\n'); }

// ---- Observations

static u64 fold(u64 hash, u64 value) {
    hash = (hash ^ (u32)value) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 29 ^ value >> 32) * 0xbf58476d1ce4e5b9u;
    return hash ^ hash >> 32;
}

void section(const char *name) {
    if (*open_section) {
        print_pair(open_section, hash);
        total = fold(total, hash);
    }
    unsigned i = 0;
    for (; name[i] && i < sizeof open_section - 1; i++) open_section[i] = name[i];
    open_section[i] = 0;
    hash = 1;
}

void section_number(const char *name, u32 number) {
    char numbered[48];
    unsigned i = 0;
    for (; name[i] && i < 32; i++) numbered[i] = name[i];
    numbered[i++] = ' ';
    for (int shift = number > 0xffff ? 28 : number > 0xff ? 12 : 4; shift >= 0; shift -= 4) numbered[i++] = "0123456789abcdef"[number >> shift & 15];
    numbered[i] = 0;
    section(numbered);
}

void observe(const char *what, u64 value) {
    hash = fold(hash, value);
    if (show_details) { print("  "); print_pair(what, value); }
}

void expect(const char *what, u64 value, u64 wanted) {
    if (value == wanted) return;
    failures++;
    print("FAIL "); print(open_section); print(": "); print(what); print(": got "); print_hex(value); print(", wanted "); print_hex(wanted); put('\n');
}

static void observe_last(const char *what, const void *code, reg seen_status) {
    const reg values[] = {last.by, last.cause, last.epc - (reg)code, last.tval, seen_status, last.a0, last.a1, last.vector};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) hash = fold(hash, values[i]);
    if (!show_details) return;
    static const char *const names[] = {": by ", " cause ", " epc +", " tval ", " status ", " a0 ", " a1 ", " vector "};
    print("  "); print(what);
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) { print(names[i]); print_hex(values[i]); }
    put('\n');
}

void observe_run(const char *what, reg mode, const void *code, reg a0, reg a1) {
    run(mode, code, a0, a1);
    observe_last(what, code, last.status);
}

void observe_trap(const char *what, reg mode, const void *code, reg a0, reg a1) {
    run(mode, code, a0, a1);
    observe_last(what, code, 0);
}

void finish(void) {
    section("");
    print_pair("result", total);
    end(failures ? 1 : 0);
    __builtin_unreachable();
}

void stray_trap(reg cause, reg epc, reg tval) {
    csr_write(satp, 0);
    csr_clear(mstatus, MPRV);
    print_pair("STRAY TRAP cause", cause);
    print_pair("epc", epc);
    print_pair("tval", tval);
    end(2);
    __builtin_unreachable();
}

__attribute__((weak)) void second_hart(void) {}

// ---- Code

const void *assemble(int count, const u32 *words) {
    for (int i = 0; i < count; i++) generated[i] = words[i];
    generated[count] = ECALL;
    fence_code();
    return generated;
}

void *memset(void *to, int byte, __SIZE_TYPE__ count) {
    for (u8 *p = to; count--; p++) { *p = byte; asm volatile(""); }
    return to;
}

void *memcpy(void *to, const void *from, __SIZE_TYPE__ count) {
    u8 *p = to;
    for (const u8 *q = from; count--;) { *p++ = *q++; asm volatile(""); }
    return to;
}

// ---- The timer

u64 mtime(void) {
    volatile u32 *word = (volatile u32 *)(reg)(CLINT + 0xbff8);
    u32 high, low;
    do { high = word[1]; low = word[0]; } while (high != word[1]);
    return (u64)high << 32 | low;
}

void set_mtimecmp(u64 value) {
    volatile u32 *word = (volatile u32 *)(reg)(CLINT + 0x4000);
    word[1] = -1;
    word[0] = (u32)value;
    word[1] = value >> 32;
}

// ---- Page tables

#define ENTRIES (PAGE / sizeof(pte))
#define INDEX_BITS (XLEN == 64 ? 9 : 10)
static pte tables[24][ENTRIES] __attribute__((aligned(4096)));
static int used_tables;
int levels;

pte leaf(u64 physical, pte flags) { return (pte)(physical >> 12 << 10) | flags; }

static unsigned index_of(reg address, int level) { return address >> (12 + INDEX_BITS * level) & (ENTRIES - 1); }

// A mistake of the test's.
static void give_up(const char *why) {
    csr_write(satp, 0);
    expect(why, 1, 0);
    finish();
}

static pte *new_table(void) {
    if (used_tables == sizeof tables / sizeof *tables) give_up("out of page tables");
    memset(tables[used_tables], 0, PAGE);
    return tables[used_tables++];
}

pte *entry(reg address, int level) {
    pte *table = tables[0];
    for (int i = levels - 1; i > level; i--) {
        pte *e = &table[index_of(address, i)];
        if (!(*e & V)) *e = leaf((reg)new_table(), V);
        else if (*e & RWX) give_up("an address in another's leaf");
        table = (pte *)(reg)((u64)*e >> 10 << 12);
    }
    return &table[index_of(address, level)];
}

pte *map(reg address, u64 physical, int level, pte flags) {
    pte *e = entry(address, level);
    *e = leaf(physical, flags);
    return e;
}

void paging(int count) {
    levels = count;
    used_tables = 0;
    new_table();
    // A gigabyte, or four leaves of four megabytes.
    for (u32 part = 0; part < (XLEN == 64 ? 1 : 4); part++) {
        map(RAM + (part << 22), RAM + (part << 22), XLEN == 64 ? 2 : 1, V | RWX | AD);
        map(USER_ALIAS + (part << 22), RAM + (part << 22), XLEN == 64 ? 2 : 1, V | RWX | AD | FOR_U);
    }
}

reg satp(reg asid) {
    reg root = (reg)tables >> 12;
#if XLEN == 64
    return (reg)(levels + 5) << 60 | asid << 44 | root;
#else
    return (reg)1 << 31 | asid << 22 | root;
#endif
}
