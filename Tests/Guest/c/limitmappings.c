// oracle: none. qemu-user has no mappings left for itself.
// With as many mappings as the kernel allows, a program that writes code, forks and starts threads goes on.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include "limits.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MOST = 70000, CODE = 40 };

/// Writes a function to every third page, calls it, changes it, calls it.
static int runs(char *code) {
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < CODE; i++) {
            char *at = code + 3 * i * PAGE;
            emit(at, addi_a0(100 * round + i), RET);
            flush(at, 8);
            if (((Function)at)(7) != 7 + 100 * round + i) return 0;
        }
    return 1;
}

int main(void) {
    char *code = mmap(0, 3 * CODE * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *many = mmap(0, 2L * MOST * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    pthread_t thread;
    int count = 0, error = 0;
    // (Where more than the usual 65,530 are allowed, all that is asked for is there.)
    while (count < MOST && !error) {
        if (mprotect(many + 2L * count * PAGE, PAGE, PROT_NONE)) error = errno; else count++;
    }
    show("many", count > 30000 && (count == MOST || error == ENOMEM));
    show("code", runs(code));
    pid_t child = fork();
    if (child == 0) _exit(runs(code) ? 3 : 4);
    show("fork", ended(child) == 3);
    child = vfork();
    if (child == 0) _exit(5);
    show("vfork", ended(child) == 5);
    int created = pthread_create(&thread, 0, nothing, 0);
    show("thread", created == 0 ? pthread_join(thread, 0) == 0 : created == EAGAIN);
    if (count > 2000) munmap(many + 2L * (count - 1000) * PAGE, 2000L * PAGE);
    show("code, again", runs(code));
    created = pthread_create(&thread, 0, nothing, 0);
    show("thread, again", created == 0 && pthread_join(thread, 0) == 0);
    return 0;
}
