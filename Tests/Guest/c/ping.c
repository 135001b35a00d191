// Writes to a pipe and its reads never fail while timer signals without SA_RESTART arrive, as long as they need not wait.
// oracle: none. qemu-user gives EINTR where the kernel would not.
// guests: riscv32
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>
static volatile int ticks;
static void h(int n) { ticks++; }
int main(void) {
    struct sigaction a = {.sa_handler = h}; sigaction(SIGALRM, &a, 0);
    struct itimerval t = {{0, 50}, {0, 50}}; setitimer(ITIMER_REAL, &t, 0);
    int p[2]; if (pipe(p)) return 2;
    long failed = 0; char c = 0;
    for (int i = 0; i < 200000; i++) { if (write(p[1], &c, 1) != 1) failed++; else if (read(p[0], &c, 1) != 1) { failed++; } }
    // A wait that a signal ends.
    int r = read(p[0], &c, 1), e = errno;
    printf("failed %ld, wait %d %d\n", failed, r, e == EINTR);
    return failed != 0;
}
