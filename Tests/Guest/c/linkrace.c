// Signals while fresh blocks are being linked: a signal between a block's first exit and the link to its successor must not
// change where the block goes.
// oracle: none. What races here is Martlet itself; the sums hold for any interleaving.
// guests: riscv32
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

static volatile sig_atomic_t ticks, strange;
static void handler(int number, siginfo_t *i, void *c) { ticks++; if (number != SIGALRM) strange++; }

int main(void) {
    enum { blocks = 1500 };
    uint32_t *code = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 100}, {0, 100}};
    setitimer(ITIMER_REAL, &timer, NULL);
    long wrong = 0;
    for (int round = 0; round < 60 && !wrong; round++) {
        for (int i = 0; i < blocks; i++) {
            code[2 * i] = 0x00150513;      // addi a0, a0, 1
            code[2 * i + 1] = 0x0040006f;  // j .+4
        }
        code[2 * blocks] = 0x00008067;  // ret
        __builtin___clear_cache((char *)code, (char *)(code + 2 * blocks + 1));
        for (int k = 0; k < 3; k++) {
            long r = ((long (*)(long))code)(round);
            if (r != round + blocks) { wrong = r ? r : -1; break; }
        }
    }
    printf("wrong %ld strange %d\n", wrong, strange);
    return wrong || strange;
}
