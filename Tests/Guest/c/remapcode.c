// Code pages that change under their address: mprotect round trips, munmap and mmap of other code, MAP_FIXED over code,
// mremap of a code page, a file mapping replaced by another file's.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int code_file(int value) {
    int fd = memfd_create("code", 0);
    unsigned char page[4096] = {0};
    emit(page, li_a0(value), RET);
    if (write(fd, page, sizeof page) != sizeof page) return -1;
    return fd;
}

int main(void) {
    unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    Function f = (Function)page;
    uint64_t sum = 0;
    for (int i = 0; i < 500; i++) {
        mprotect(page, 4096, PROT_READ | PROT_WRITE);
        emit(page, li_a0(i), RET);
        mprotect(page, 4096, PROT_READ | PROT_EXEC);
        flush(page, 8);
        sum = sum * 7 + (unsigned long)f(0);
    }
    printf("mprotect %llu\n", (unsigned long long)sum);

    sum = 0;
    for (int i = 0; i < 500; i++) {
        munmap(page, 4096);
        unsigned char *again = mmap(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (again != page) return 1;
        emit(page, li_a0(i * 3), RET);
        flush(page, 8);
        sum = sum * 7 + (unsigned long)f(0);
    }
    printf("munmap %llu\n", (unsigned long long)sum);

    int fds[4];
    for (int i = 0; i < 4; i++) fds[i] = code_file(100 + i);
    sum = 0;
    for (int i = 0; i < 400; i++) {
        mmap(page, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fds[i & 3], 0);
        sum = sum * 7 + (unsigned long)f(0);
    }
    printf("files %llu\n", (unsigned long long)sum);

    unsigned char *other = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    emit(other, li_a0(55), RET);
    flush(other, 8);
    long before = ((Function)other)(0);
    unsigned char *moved = mremap(other, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, page);
    printf("mremap %d %ld %ld\n", moved == page, before, f(0));
    return 0;
}
