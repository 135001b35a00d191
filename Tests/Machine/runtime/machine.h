// What every test of a whole machine uses. A test is `test`: it opens sections, runs fragments of code in some privilege, observes what
// came of them, and says what the manual demands.
//
// What is observed is folded into a hash, printed for each section: two machines are alike when they print the same. What is expected
// counts for itself, and is not in the hash: the manual's word is kept where another machine has its own mind.

#pragma once
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;
typedef uintptr_t reg;  // XLEN bits
typedef intptr_t sreg;

#define XLEN __riscv_xlen
enum { U = 0, S = 1, M = 3 };

// ---- Running code

// The trap that ended a run: which privilege's handler it entered, its CSRs, two registers, and the return address that the entry of a
// vectored table left (0: not entered by one).
struct record { reg by, cause, epc, tval, status, a0, a1, vector; };
extern struct record last;
extern reg status;  // mstatus of the code to run, without MPP; machine mode's interrupt enable is MPIE here
void run(reg mode, const void *code, reg a0, reg a1);

// Code that runs until its trap; an `ecall` stands behind it. No compressed instructions but where the text asks for them.
#define FRAGMENT(name, text)                                                                                                      \
    extern const char name[];                                                                                                     \
    asm(".pushsection .fragments, \"ax\"\n.option push\n.option norvc\n.balign 16\n.globl " #name "\n" #name ":\n" text           \
        "\necall\n.option pop\n.popsection\n")

// Instructions made while the test runs, executed at once: up to eight, and an `ecall` behind them.
const void *assemble(int count, const u32 *words);
#define CODE(...) assemble(sizeof((u32[]){__VA_ARGS__}) / 4, (u32[]){__VA_ARGS__})
#define CSRRW(rd, csr, rs) ((u32)(csr) << 20 | (rs) << 15 | 1 << 12 | (rd) << 7 | 0x73)
#define CSRRS(rd, csr, rs) ((u32)(csr) << 20 | (rs) << 15 | 2 << 12 | (rd) << 7 | 0x73)
#define CSRRC(rd, csr, rs) ((u32)(csr) << 20 | (rs) << 15 | 3 << 12 | (rd) << 7 | 0x73)
enum { ZERO = 0, T0 = 5, T1 = 6, T2 = 7, A0 = 10, A1 = 11, A2 = 12 };
#define ECALL 0x73u

// ---- What is said of it

void section(const char *name);
void section_number(const char *name, u32 number);
void observe(const char *what, u64 value);
void expect(const char *what, u64 value, u64 wanted);
// Runs, and observes all of `last`; the epc as its distance from the code.
void observe_run(const char *what, reg mode, const void *code, reg a0, reg a1);
// The same without the status.
void observe_trap(const char *what, reg mode, const void *code, reg a0, reg a1);
void finish(void) __attribute__((noreturn));
void stray_trap(reg cause, reg epc, reg tval) __attribute__((noreturn));

// ---- CSRs

#define csr_read(name) ({ reg value_; asm volatile("csrr %0, " #name : "=r"(value_) :: "memory"); value_; })
#define csr_write(name, value) ({ asm volatile("csrw " #name ", %0" :: "rK"((reg)(value)) : "memory"); })
#define csr_set(name, value) ({ asm volatile("csrs " #name ", %0" :: "rK"((reg)(value)) : "memory"); })
#define csr_clear(name, value) ({ asm volatile("csrc " #name ", %0" :: "rK"((reg)(value)) : "memory"); })

#define SIE ((reg)1 << 1)
#define MIE ((reg)1 << 3)
#define SPIE ((reg)1 << 5)
#define MPIE ((reg)1 << 7)
#define SPP ((reg)1 << 8)
#define MPP(mode) ((reg)(mode) << 11)
#define FS(state) ((reg)(state) << 13)
#define MPRV ((reg)1 << 17)
#define SUM ((reg)1 << 18)
#define MXR ((reg)1 << 19)
#define TVM ((reg)1 << 20)
#define TW ((reg)1 << 21)
#define TSR ((reg)1 << 22)
#define INTERRUPT ((reg)1 << (XLEN - 1))

// Causes, Privileged ISA, table of mcause.
enum {
    FETCH_MISALIGNED, FETCH_ACCESS, ILLEGAL, BREAKPOINT, LOAD_MISALIGNED, LOAD_ACCESS, STORE_MISALIGNED, STORE_ACCESS,
    ECALL_U, ECALL_S, ECALL_M = 11, FETCH_PAGE, LOAD_PAGE, STORE_PAGE = 15
};
enum { SSI = 1, MSI = 3, STI = 5, MTI = 7, SEI = 9, MEI = 11 };

// ---- Devices of the machine

#ifdef VIRT  // by `machine=virt`
#define ON_VIRT 1
#else
#define ON_VIRT 0
#endif
#define CLINT 0x2000000u
#define MSIP (*(volatile u32 *)(reg)CLINT)
void test(void);
u64 mtime(void);
void set_mtimecmp(u64 value);

// ---- Memory

#define RAM 0x80000000u
#define PAGE 4096u
#define SCRATCH 0x80400000u      // of RAM: nothing of the test lies there or above
#define PLACE ((reg)0xc0000000)  // a gigabyte of addresses that `paging` maps to nothing
#define USER_ALIAS 0x40000000u   // RAM's first part once more, for users: where `paging` maps it

// ---- Page tables

#if XLEN == 64
typedef u64 pte;
#else
typedef u32 pte;
#endif
enum { V = 1, R = 2, W = 4, X = 8, FOR_U = 16, G = 32, A = 64, D = 128, RWX = R | W | X, AD = A | D };

extern int levels;               // of the tables at present: 2 (Sv32), 3, 4, 5
// Empty tables, but for RAM's beginning at its own address for supervisors, and at USER_ALIAS for users. Does not write satp.
void paging(int levels);
// Makes the leaf for an address, on a level (0: 4 KiB), and the tables above it; the flags are its low bits, V included.
pte *map(reg address, u64 physical, int level, pte flags);
pte *entry(reg address, int level);  // the entry for an address in the table of a level
reg satp(reg asid);
pte leaf(u64 physical, pte flags);
#define fence_all() asm volatile("sfence.vma" ::: "memory")
#define fence_code() asm volatile("fence.i" ::: "memory")
// The same place, as users see it.
#define as_user(pointer) ((void *)((reg)(pointer) - RAM + USER_ALIAS))
// A privilege's own address of a fragment while `paging` is in force.
#define seen_by(mode, code) ((mode) == U ? as_user(code) : (const void *)(code))
