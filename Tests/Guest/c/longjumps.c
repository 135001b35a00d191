// cflags: -Wno-infinite-recursion -Wno-array-bounds
// setjmp and longjmp: out of deep recursion, many times, with live registers of both kinds; sigsetjmp out of a handler.
// guests: riscv32
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

static jmp_buf target;
static sigjmp_buf signal_target;
static int depth_reached;

__attribute__((noinline)) static int dive(int depth, double x) {
    depth_reached = depth;
    if (depth == 0) longjmp(target, 42);
    return dive(depth - 1, x * 1.5) + (int)x;
}
static void handler(int number) { siglongjmp(signal_target, number); }

int main(void) {
    volatile int rounds = 0;
    volatile double kept = 1.25;
    int value = setjmp(target);
    if (value) { rounds++; kept += 0.5; }
    if (rounds < 1000) dive(200, kept);
    printf("%d %d %g %d\n", rounds, value, kept, depth_reached);
    signal(SIGSEGV, handler);
    volatile int faults = 0;
    int number = sigsetjmp(signal_target, 1);
    if (number) faults++;
    if (faults < 100) *(volatile int *)8 = 1;
    printf("%d %d\n", faults, number == SIGSEGV);
    return 0;
}
