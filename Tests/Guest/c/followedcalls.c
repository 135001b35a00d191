// Calls that translated code follows: recursion shallow and deep, returns to somewhere else than behind the call, function
// pointers that change their mind, jumps out of calls, signals that arrive inside of them.
// guests: riscv32
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define APART __attribute__((noinline, noclone, noipa))

APART static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
APART static long ackermann(long m, long n) {
    return m == 0 ? n + 1 : ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}
APART static long odd(long n);
APART static long even(long n) { return n == 0 ? 1 : (3 * odd(n - 1)) & 0xffff; }
APART static long odd(long n) { return n == 0 ? 0 : (5 * even(n - 1) + 1) & 0xffff; }

// Called from three places, two of them in each other's callee.
APART static long leaf(long x) { return x * 7 + 3; }
APART static long middle(long x) { return leaf(x) ^ leaf(x + 1); }
APART static long outer(long x) { return middle(x) + leaf(x) + middle(x ^ 5); }

// Returns behind the instruction after the call when its argument is odd: callers' next instruction has four bytes.
long skipping(long n);
__asm__(".text\n.option push\n.option norvc\n"
        "skip: andi t0, a0, 1\n  beqz t0, 1f\n  addi ra, ra, 4\n1: ret\n"
        // Counts in a1 the turns that were not skipped.
        "skipping: mv t3, ra\n  mv t4, a0\n  li a1, 0\n"
        "2: mv a0, t4\n  call skip\n  addi a1, a1, 1\n  addi t4, t4, -1\n  bnez t4, 2b\n"
        "  mv a0, a1\n  mv ra, t3\n  ret\n"
        // Two functions that are each other's return: `there` leaves through a link register of its own.
        "swapping: mv t3, ra\n  mv t4, a0\n  li a0, 0\n"
        "3: call there\n  addi a0, a0, 2\n  addi t4, t4, -1\n  bnez t4, 3b\n  mv ra, t3\n  ret\n"
        "there: addi a0, a0, 1\n  jal t0, back\n  addi a0, a0, 16\n  ret\n"
        "back: addi a0, a0, 4\n  andi t1, t4, 7\n  bnez t1, 4f\n  addi a0, a0, 256\n  ret\n4: jr t0\n"
        ".option pop\n");
long swapping(long n);

APART static long f0(long x) { return x + 1; }
APART static long f1(long x) { return x * 3 & 0xffffff; }
APART static long f2(long x) { return x ^ 0x55; }
static long (*volatile functions[3])(long) = {f0, f1, f2};
APART static long through(int which, long x) { return functions[which](x) + 1; }

static jmp_buf target;
APART static long thrower(long n) {
    if (n % 97 == 0) longjmp(target, (int)(n % 5) + 1);
    return n + leaf(n);
}
APART static long long catcher(long from, long to) {
    volatile long n = from;
    volatile long long sum = 0;
    int value = setjmp(target);
    sum += value * 1000;
    for (n++; n < to; n++) sum += thrower(n);
    return sum;
}

static volatile long signals_seen, signal_work;
static void on_alarm(int number) {
    signals_seen += number != 0;
    signal_work += middle(signals_seen) != 0;
}

int main(void) {
    printf("fib %ld\n", fib(24));
    printf("ackermann %ld\n", ackermann(2, 200));
    printf("even %ld\n", even(60000));
    long long total = 0;
    for (long i = 0; i < 100000; i++) total += outer(i);
    printf("outer %lld\n", total);
    printf("skipping %ld\n", skipping(100001));
    printf("swapping %ld\n", swapping(50000));
    long sum = 0;
    for (long i = 0; i < 30000; i++) sum = through(0, sum);
    for (long i = 0; i < 30000; i++) sum = through(i % 3, sum);
    for (long i = 0; i < 60000; i++) sum = through(1, sum);
    printf("through %ld\n", sum);
    printf("catcher %lld\n", catcher(0, 50000));
    signal(SIGALRM, on_alarm);
    struct itimerval timer = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    long expected = outer(1234), wrong = 0, turns = 0;
    while (signals_seen < 20) {
        for (long i = 0; i < 1000; i++) wrong += outer(1234) != expected || fib(5) != 5;
        turns++;
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    printf("signals %d %ld %d\n", turns > 0, wrong, signal_work == signals_seen);
    return 0;
}
