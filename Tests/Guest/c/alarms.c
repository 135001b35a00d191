// Timer signals in hot loops: a loop without calls, loops with calls and with floating point; each must notice the
// handler and finish with the value it would have without signals.
// guests: riscv32
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>

static volatile sig_atomic_t ticks;
static double disturb = 1;
static void handler(int number) {
    (void)number;
    ticks++;
    for (int i = 0; i < 50; i++) disturb = disturb * 1.0001 + 0.1;       // uses FP registers and flags
}
static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int main(void) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 2000}, {0, 2000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (ticks < 5) { }
    printf("empty loop\n");
    int start = ticks;
    uint64_t x = 1, steps = 0;
    double sum = 0;
    unsigned f = 0;
    while (ticks < start + 20) {
        for (int i = 0; i < 10000; i++) x = x * 6364136223846793005ull + 1442695040888963407ull;
        sum = 0;
        for (int i = 1; i < 3000; i++) sum += 1.0 / i;
        f = fib(15);
        steps++;
    }
    struct itimerval off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &off, NULL);
    uint64_t y = 1;
    for (uint64_t s = 0; s < steps; s++) for (int i = 0; i < 10000; i++) y = y * 6364136223846793005ull + 1442695040888963407ull;
    printf("integers %s, sum %.15f, fib %u\n", x == y ? "equal" : "DIFFER", sum, f);
    return 0;
}
