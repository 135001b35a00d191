// Code in a private mapping of a file that is changed by other ways than stores to it: write(2), a shared mapping of the file, a child
// process, and copies between address spaces. After an instruction fence the new code runs; a page that the guest has written to
// itself is its own, and does not follow the file any more.
// oracle: none. qemu-user does not see such changes.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, ROUNDS = 60 };

static void put(int fd, int value) {
    unsigned char code[8];
    emit(code, li_a0(value), RET);
    if (pwrite(fd, code, 8, 128) != 8) exit(2);
}

static void fence(int kind, void *at) {
    if (kind & 1) flush(at, 8);
    else asm volatile("fence.i" ::: "memory");
}

static void try(const char *name, int fd, int late) {
    if (ftruncate(fd, PAGE)) exit(1);
    put(fd, 1);
    unsigned char *x = mmap(NULL, PAGE, late ? PROT_READ : PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    if (late) mprotect(x, PAGE, PROT_READ | PROT_EXEC);
    Function f = (Function)(x + 128);
    int wrong = f(0) != 1;
    for (int i = 0; i < ROUNDS; i++) {
        put(fd, i);
        fence(i, x);
        wrong += f(0) != i;
    }
    unsigned char *w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (int i = 0; i < ROUNDS; i++) {
        emit(w + 128, li_a0(500 + i), RET);
        fence(i, x);
        wrong += f(0) != 500 + i;
    }
    for (int i = 0; i < 6; i++) {
        pid_t child = fork();
        if (child == 0) {
            if (i & 1) put(fd, 1000 + i);
            else emit(w + 128, li_a0(1000 + i), RET);
            _exit(0);
        }
        waitpid(child, 0, 0);
        fence(i, x);
        wrong += f(0) != 1000 + i;
    }
    munmap(w, PAGE);
    for (int i = 0; i < ROUNDS; i++) {
        put(fd, i);
        fence(i, x);
        wrong += f(0) != i;
    }
    // Through the kernel, into the mapping itself.
    mprotect(x, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (int i = 0; i < ROUNDS; i++) {
        unsigned char code[8];
        emit(code, li_a0(300 + i), RET);
        struct iovec from = {code, 8}, to = {x + 128, 8};
        if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) != 8) wrong += 1000;
        fence(i, x);
        wrong += f(0) != 300 + i;
    }
    put(fd, 77);
    fence(0, x);
    wrong += f(0) != 300 + ROUNDS - 1;
    munmap(x, PAGE);
    close(fd);
    printf("%s: %d wrong\n", name, wrong);
}

int main(void) {
    char name[] = "/tmp/filecode-XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0) return 1;
    try("file", fd, 0);
    fd = open(name, O_RDWR);
    try("file, executable later", fd, 1);
    fd = open(name, O_RDWR);
    unlink(name);
    try("file without a name", fd, 0);
    try("memory file", memfd_create("code", 0), 0);
    return 0;
}
