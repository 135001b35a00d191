// One page of memory at two addresses, one to write and one to run, as just-in-time compilers map it; also in one
// mapping shared with a child process that writes the code.
// oracle: none. qemu-user does not see a write through another mapping; the sums are computed by hand.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int fd = memfd_create("code", 0);
    if (ftruncate(fd, 8192)) return 1;
    unsigned char *w = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    unsigned char *x = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    unsigned char *again = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    Function f = (Function)(x + 64), g = (Function)(again + 64);
    uint64_t sum = 0;
    for (int i = 0; i < 2000; i++) {
        emit(w + 64, addi_a0(i), RET);
        flush(x + 64, 8);
        sum = sum * 5 + (unsigned long)(f(1) + 2 * g(2));
    }
    printf("%llu\n", (unsigned long long)sum);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            emit(w + 64, addi_a0(1000 + i), RET);
            flush(x + 64, 8);
            _exit(f(0) == 1000 + i ? 0 : 1);
        }
        int status;
        waitpid(child, &status, 0);
        if (status) return 2;
        flush(x + 64, 8);
        sum += (unsigned long)f(0);
    }
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
