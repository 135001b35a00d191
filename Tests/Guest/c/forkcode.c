// A parent, a child that gives up its rights, and a grandchild all run code that was translated before and after they parted. With
// "wait" they then stay for as many milliseconds as the second argument says: who looks at them from outside finds no memory that
// one may write and another executes.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static long __attribute__((noinline)) step(long x) { asm volatile(""); return x * 3 + 1; }

static long work(int n) {
    long sum = 0;
    for (int i = 0; i < n; i++) sum += step(i) & 0xff;
    return sum;
}

// New code of this process's own, and code that changes.
static long fresh(int value) {
    unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long sum = 0;
    for (int i = 0; i < 10; i++) {
        emit(page, li_a0(value + i), RET);
        flush(page, 8);
        sum += ((Function)page)(0);
    }
    munmap(page, 4096);
    return sum;
}

int main(int count, char **arguments) {
    int wait_ms = count > 2 ? atoi(arguments[2]) : 0;
    long sum = work(50000) + fresh(1);
    pid_t child = fork();
    if (child == 0) {
        if (setuid(65534)) sum += 0;      // only root can
        pid_t grandchild = fork();
        long own = work(50000) + fresh(1);
        if (grandchild == 0) {
            usleep((useconds_t)wait_ms * 1000);
            _exit(own == sum ? 4 : 1);
        }
        int status;
        usleep((useconds_t)wait_ms * 1000);
        waitpid(grandchild, &status, 0);
        _exit(own == sum && WEXITSTATUS(status) == 4 ? 5 : 1);
    }
    long again = work(50000) + fresh(1);
    usleep((useconds_t)wait_ms * 1000);
    int status;
    waitpid(child, &status, 0);
    printf("%ld %d %d\n", sum, again == sum, WEXITSTATUS(status));
    return 0;
}
