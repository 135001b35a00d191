// A signal at any instruction restores every register: 31 integer registers and 32 floating-point registers hold a
// pattern in a loop while timer signals arrive whose handler destroys all that it may.
// guests: riscv32
#include "registers.h"
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

// A floating-point register from and to an integer register: its bits, or the number where those do not fit.
#if __riscv_xlen == 64
#define PUT "fmv.d.x "
#define GET "fmv.x.d "
#else
#define PUT "fcvt.d.w "
#define GET "fcvt.w.d "
#endif

static volatile sig_atomic_t ticks;
static void handler(int number) {
    (void)number;
    ticks++;
    __asm__ volatile(
        "li t0, -1\nli t1, -1\nli t2, -1\nli t3, -1\nli t4, -1\nli t5, -1\nli t6, -1\nli a0, -1\nli a1, -1\nli a2, -1\nli a3, -1\nli a4, -1\n"
        "li a5, -1\nli a6, -1\nli a7, -1\n" PUT "ft0, t0\n" PUT "ft1, t0\n" PUT "fa0, t0\n" PUT "fa7, t0\n" PUT "ft11, t0\nfsflagsi 31\nfsrmi 3"
        : : : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "ft0", "ft1", "fa0", "fa7", "ft11");
}

// Runs N rounds; returns 0, or the number of the register that changed (64 and more: floating point, 99: fcsr).
long rounds(long n);
__asm__(
    ".text\nrounds:\naddi sp, sp, -224\n"
    STORE "ra, 0(sp)\n" STORE "s0, 8(sp)\n" STORE "s1, 16(sp)\n" STORE "s2, 24(sp)\n" STORE "s3, 32(sp)\n" STORE "s4, 40(sp)\n" STORE "s5, 48(sp)\n" STORE "s6, 56(sp)\n" STORE "s7, 64(sp)\n"
    STORE "s8, 72(sp)\n" STORE "s9, 80(sp)\n" STORE "s10, 88(sp)\n" STORE "s11, 96(sp)\nfsd fs0, 104(sp)\nfsd fs1, 112(sp)\nfsd fs11, 120(sp)\n"
    "fsflagsi 9\n"
    "li ra, 1001\nli t0, 1005\nli t1, 1006\nli t2, 1007\nli s0, 1008\nli s1, 1009\nli a1, 1011\nli a2, 1012\nli a3, 1013\nli a4, 1014\n"
    "li a5, 1015\nli a6, 1016\nli a7, 1017\nli s2, 1018\nli s3, 1019\nli s4, 1020\nli s5, 1021\nli s6, 1022\nli s7, 1023\nli s8, 1024\n"
    "li s9, 1025\nli s10, 1026\nli s11, 1027\nli t3, 1028\nli t4, 1029\nli t5, 1030\n"
    PUT "ft0, t0\n" PUT "ft1, t1\n" PUT "fa0, a1\n" PUT "fa7, a7\n" PUT "ft11, t5\n" PUT "fs0, s0\n" PUT "fs1, s1\n" PUT "fs11, s11\n"
    "1:\n"
#define CHECK(reg, value) "li t6, " #value "\nbne " #reg ", t6, 9f\n"
    CHECK(ra, 1001) CHECK(t0, 1005) CHECK(t1, 1006) CHECK(t2, 1007) CHECK(s0, 1008) CHECK(s1, 1009) CHECK(a1, 1011) CHECK(a2, 1012)
    CHECK(a3, 1013) CHECK(a4, 1014) CHECK(a5, 1015) CHECK(a6, 1016) CHECK(a7, 1017) CHECK(s2, 1018) CHECK(s3, 1019) CHECK(s4, 1020)
    CHECK(s5, 1021) CHECK(s6, 1022) CHECK(s7, 1023) CHECK(s8, 1024) CHECK(s9, 1025) CHECK(s10, 1026) CHECK(s11, 1027) CHECK(t3, 1028)
    CHECK(t4, 1029) CHECK(t5, 1030)
#define FCHECK(reg, value) GET "t6, " #reg "\naddi t6, t6, -" #value "\nbnez t6, 8f\n"
    FCHECK(ft0, 1005) FCHECK(ft1, 1006) FCHECK(fa0, 1011) FCHECK(fa7, 1017) FCHECK(ft11, 1030) FCHECK(fs0, 1008) FCHECK(fs1, 1009) FCHECK(fs11, 1027)
    "frcsr t6\naddi t6, t6, -9\nbnez t6, 7f\n"
    "addi a0, a0, -1\nbnez a0, 1b\nj 6f\n"
    "9: addi a0, t6, -1000\nj 6f\n8: li a0, 64\nj 6f\n7: li a0, 99\n6:\n"
    "fscsr x0\n" LOAD "ra, 0(sp)\n" LOAD "s0, 8(sp)\n" LOAD "s1, 16(sp)\n" LOAD "s2, 24(sp)\n" LOAD "s3, 32(sp)\n" LOAD "s4, 40(sp)\n" LOAD "s5, 48(sp)\n" LOAD "s6, 56(sp)\n" LOAD "s7, 64(sp)\n"
    LOAD "s8, 72(sp)\n" LOAD "s9, 80(sp)\n" LOAD "s10, 88(sp)\n" LOAD "s11, 96(sp)\nfld fs0, 104(sp)\nfld fs1, 112(sp)\nfld fs11, 120(sp)\naddi sp, sp, 224\nret\n");

int main(void) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    long wrong = 0;
    while (ticks < 60 && !wrong) wrong = rounds(2000);
    printf("register %ld\n", wrong);
    return wrong != 0;
}
