// SIGSEGV and its relatives as a program sees them: si_code, si_addr, the pc in ucontext; the handler moves the pc past
// the faulting instruction. Loads, stores, atomics, page borders, protections, a jump to unmapped memory, bad opcodes.
// guests: riscv32
#define _GNU_SOURCE
#include "registers.h"
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

static volatile int number, code;
static volatile uintptr_t address, pc, ra;
static void handler(int n, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    number = n;
    code = info->si_code;
    address = (uintptr_t)info->si_addr;
    pc = u->uc_mcontext.__gregs[REG_PC];
    ra = u->uc_mcontext.__gregs[1];
    if (pc == address && n == SIGSEGV) { u->uc_mcontext.__gregs[REG_PC] = ra; return; }      // a wild jump returns
    u->uc_mcontext.__gregs[REG_PC] = pc + ((*(uint16_t *)pc & 3) == 3 ? 4 : 2);
}
static void report(const char *what, uintptr_t expected_pc, uintptr_t base) {
    printf("%-16s sig %d code %d offset %ld pc %s\n", what, number, code, (long)(address - base), pc == expected_pc ? "exact" : "WRONG");
    number = code = 0;
}
#define FAULT(what, base, instruction, ...) do { \
        uintptr_t here; \
        __asm__ volatile("lla %0, 1f\n.option push\n.option norvc\n1: " instruction "\n.option pop" : "=&r"(here) : __VA_ARGS__ : "memory", "t0", "ft0"); \
        report(what, here, base); \
    } while (0)

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    unsigned char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p + 4096, 4096);
    mprotect(p + 8192, 4096, PROT_READ);
    unsigned char *hole = p + 4096, *read_only = p + 8192;
    FAULT("null load", 0, LOAD "t0, 0(%1)", "r"(0L));
    FAULT("null store", 0, STORE "x0, 16(%1)", "r"(0L));
    FAULT("hole load", (uintptr_t)hole, "lb t0, 0(%1)", "r"(hole));
    FAULT("hole store", (uintptr_t)hole, "sb x0, 100(%1)", "r"(hole));
    FAULT("hole fp load", (uintptr_t)hole, "fld ft0, 8(%1)", "r"(hole));
    FAULT("hole fp store", (uintptr_t)hole, "fsd ft0, 8(%1)", "r"(hole));
    FAULT("hole amo", (uintptr_t)hole, AMOADD "t0, x0, (%1)", "r"(hole));
    FAULT("hole lr", (uintptr_t)hole, "lr.w t0, (%1)", "r"(hole));
    FAULT("read-only store", (uintptr_t)read_only, "sw x0, 4(%1)", "r"(read_only));
    FAULT("read-only amo", (uintptr_t)read_only, "amoswap.w t0, x0, (%1)", "r"(read_only));
    // An address outside what a process can have.
    FAULT("top", UINTPTR_MAX - 7, LOAD "t0, 0(%1)", "r"(-8L));
    // Addresses of 64 bits that no host can have either: si_addr is whatever the host could find out.
#if __riscv_xlen == 64
    FAULT("no address", address, LOAD "t0, 0(%1)", "r"(0x4000000000000000L));
    FAULT("no address st", address, STORE "t0, 8(%1)", "r"(0x8000000000000000L));
#endif
    // The instruction that faults leaves its destination alone.
    register long kept __asm__("s5") = 1234;
    __asm__ volatile(".option push\n.option norvc\n" LOAD "s5, 0(%1)\n.option pop" : "+r"(kept) : "r"(hole));
    printf("destination %ld\n", kept);
    // Registers computed before the fault in the same block are seen by the handler and survive it.
    long x = atoi("5"), y;
    __asm__ volatile(".option push\n.option norvc\naddi %0, %1, 7\nslli %0, %0, 3\n" STORE "%0, 0(%2)\naddi %0, %0, 1\n.option pop" : "=&r"(y) : "r"(x), "r"(hole) : "memory");
    printf("block %ld\n", y);
    // Jumps: into unmapped memory, into a page without execute permission, to 0.
    ((void (*)(void))hole)();
    report("jump to hole", (uintptr_t)hole, (uintptr_t)hole);
    ((void (*)(void))read_only)();
    report("jump to data", (uintptr_t)read_only, (uintptr_t)read_only);
    void (*volatile null)(void) = NULL;
    null();
    report("jump to 0", 0, 0);
    FAULT("illegal", (uintptr_t)here, ".4byte 0xffffffff", "r"(0L));
    FAULT("unimp", (uintptr_t)here, ".4byte 0xc0001073", "r"(0L));
    FAULT("bad csr", (uintptr_t)here, "csrr t0, 0x7c0", "r"(0L));
    FAULT("ebreak", (uintptr_t)here, "ebreak", "r"(0L));
    return 0;
}
