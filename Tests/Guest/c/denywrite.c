// PR_SET_MDWE, and the auxiliary vector by way of prctl: answered by the emulator, whatever the host's kernel knows.
// oracle: none. The oracle does not know these options; Linux 6.4 does.
// guests: riscv32
#define _GNU_SOURCE
#include "errors.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void call(const char *what, long option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    errno = 0;
    long value = syscall(SYS_prctl, option, a, b, c, d);
    printf("%s: ", what);
    if (value < 0) printf("%s\n", error_name(errno)); else printf("%ld\n", value);
}

static void map(const char *what, int rights) {
    void *memory = mmap(NULL, 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("map %s %s\n", what, memory == MAP_FAILED ? error_name(errno) : "ok");
}

static void denyWriteExecute(void) {
    char *writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *executable = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    call("get", 66, 0, 0, 0, 0);
    call("get with more", 66, 0, 0, 0, 1);
    call("set inheritance alone", 65, 2, 0, 0, 0);
    call("set unknown", 65, 4, 0, 0, 0);
    call("set with more", 65, 1, 1, 0, 0);
    call("set", 65, 1, 0, 0, 0);
    call("set again", 65, 1, 0, 0, 0);
    call("set other", 65, 3, 0, 0, 0);
    call("unset", 65, 0, 0, 0, 0);
    call("get", 66, 0, 0, 0, 0);
    map("both", PROT_READ | PROT_WRITE | PROT_EXEC);
    map("execute", PROT_READ | PROT_EXEC);
    map("write", PROT_READ | PROT_WRITE);
    printf("gain %s\n", mprotect(writable, 4096, PROT_READ | PROT_EXEC) ? error_name(errno) : "ok");
    printf("keep %s\n", mprotect(executable, 4096, PROT_EXEC) ? error_name(errno) : "ok");
    printf("write to it too %s\n", mprotect(executable, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) ? error_name(errno) : "ok");
    printf("lose %s\n", mprotect(executable, 4096, PROT_READ | PROT_WRITE) ? error_name(errno) : "ok");
    fflush(stdout);
    if (fork() == 0) {
        call("child", 66, 0, 0, 0, 0);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static void notInherited(void) {
    fflush(stdout);
    if (fork() == 0) {
        call("set", 65, 3, 0, 0, 0);
        call("get", 66, 0, 0, 0, 0);
        fflush(stdout);
        if (fork() == 0) {
            call("child", 66, 0, 0, 0, 0);
            map("both", PROT_READ | PROT_WRITE | PROT_EXEC);
            fflush(stdout);
            _exit(0);
        }
        wait(NULL);
        _exit(0);
    }
    wait(NULL);
}

int main(void) {
    unsigned long words[64] = {0};
    long size = syscall(SYS_prctl, 0x41555856, words, sizeof words, 0, 0);
    unsigned long *pair = words;
    while (pair[0] && pair[0] != AT_ENTRY) pair += 2;
    printf("vector %d %d\n", size > 64, pair[1] == getauxval(AT_ENTRY));
    call("vector with more", 0x41555856, (unsigned long)words, 8, 1, 0);
    call("vector nowhere", 0x41555856, 8, 8, 0, 0);
    notInherited();
    denyWriteExecute();
    return 0;
}
