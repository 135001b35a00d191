// RLIMIT_NPROC: a process or thread too many is EAGAIN; what there is goes on. (The limit does not bind the superuser: as one the program
// takes another user's id first, one that nobody else has.)
// guests: riscv32
#define _GNU_SOURCE
#include "limits.h"
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    struct rlimit limit = {1, 1};
    pthread_t thread;
    if (getuid() == 0 && setuid(100000 + getpid())) perror("setuid");
    show("limit", setrlimit(RLIMIT_NPROC, &limit) == 0);
    show("fork", fork() == -1 && errno == EAGAIN);
    pid_t child = vfork();
    if (child == 0) _exit(0);
    show("vfork", child == -1 && errno == EAGAIN);
    show("thread", pthread_create(&thread, 0, nothing, 0) == EAGAIN);
    volatile uint64_t sum = 0;
    for (uint64_t i = 0; i < 3000000; i++) sum = sum * 31 + i;
    show("hot code", sum == 1176801454690149216ull);
    return 0;
}
