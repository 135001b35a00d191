// oracle: none. qemu-user keeps no limits of memory.
// Limits of memory are what the program makes of them: read back, in force for what it maps, inherited over fork and exec, and the main
// stack has as much as RLIMIT_STACK says.
// guests: riscv32
#define _GNU_SOURCE
#include "limits.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MiB = 1 << 20 };

static void limit(int resource, rlim_t soft) {
    struct rlimit now;
    getrlimit(resource, &now);
    now.rlim_cur = soft;
    if (setrlimit(resource, &now)) perror("setrlimit");
}

static rlim_t soft(int resource) {
    struct rlimit now;
    getrlimit(resource, &now);
    return now.rlim_cur;
}

static __attribute__((noinline)) long use(long bytes) {
    volatile char frame[4096];
    frame[0] = (char)bytes;
    frame[4095] = 1;
    return bytes <= 0 ? frame[0] : use(bytes - 4096) + frame[4095];
}

static char *map(size_t size, int rights) {
    void *p = mmap(0, size, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? 0 : p;
}

/// The soft limit that /proc/self/limits shows.
static long shown(const char *name) {
    char line[200];
    long value = -1;
    FILE *file = fopen("/proc/self/limits", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name))) value = atol(line + 26);
    if (file) fclose(file);
    return value;
}

static int waitStatus(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static void addressSpace(void) {
    limit(RLIMIT_AS, 256 * MiB);
    show("RLIMIT_AS read back", soft(RLIMIT_AS) == 256 * MiB);
    show("RLIMIT_AS shown", shown("Max address space") == 256 * MiB);
    show("too much", !map(300 * MiB, PROT_NONE) && errno == ENOMEM);
    char *half = map(128 * MiB, PROT_READ | PROT_WRITE);
    show("half", half != 0);
    show("another half", !map(128 * MiB, PROT_NONE) && errno == ENOMEM);
    show("in its place", mmap(half, 128 * MiB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == half);
    show("mremap", mremap(half, 128 * MiB, 300 * MiB, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
    show("brk", sbrk(200 * MiB) == (void *)-1 && errno == ENOMEM);
    munmap(half, 128 * MiB);
    half = map(200 * MiB, PROT_NONE);
    show("after munmap", half != 0);
    munmap(half, 200 * MiB);
    int blocks = 0;
    while (blocks < 300 && malloc(MiB)) blocks++;
    show("malloc", blocks > 200 && blocks < 256 && errno == ENOMEM);
    pid_t child = fork();
    if (child == 0) _exit(map(100 * MiB, PROT_NONE) ? 1 : soft(RLIMIT_AS) == 256 * MiB ? 0 : 2);
    show("child", waitStatus(child) == 0);
}

static void data(void) {
    limit(RLIMIT_DATA, 64 * MiB);
    show("RLIMIT_DATA read back", soft(RLIMIT_DATA) == 64 * MiB);
    char *plain = map(100 * MiB, PROT_READ);
    show("no data", plain != 0);
    show("made data", mprotect(plain, 100 * MiB, PROT_READ | PROT_WRITE) == -1 && errno == ENOMEM);
    show("some of it", mprotect(plain, 16 * MiB, PROT_READ | PROT_WRITE) == 0);
    show("data", !map(60 * MiB, PROT_READ | PROT_WRITE) && errno == ENOMEM);
    show("heap", sbrk(60 * MiB) == (void *)-1 && errno == ENOMEM);
    void *shared = mmap(0, 100 * MiB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    show("shared", shared != MAP_FAILED);
}

static void stack(char *self) {
    struct rlimit small = {1 * MiB, 2 * MiB}, old;
    pid_t child = fork();
    if (child == 0) {
        limit(RLIMIT_STACK, 48 * MiB);
        _exit(use(40 * MiB) == 0);
    }
    show("stack grows", waitStatus(child) == 0);
    child = fork();
    if (child == 0) {
        limit(RLIMIT_STACK, 48 * MiB);
        limit(RLIMIT_AS, 1024L * MiB);
        execl(self, self, "large", (char *)0);
        _exit(99);
    }
    show("executed with a large stack", waitStatus(child) == 0);
    child = vfork();
    if (child == 0) {
        setrlimit(RLIMIT_STACK, &small);
        execl(self, self, "small", (char *)0);
        _exit(99);
    }
    show("executed with a small stack", waitStatus(child) == 11);
    getrlimit(RLIMIT_STACK, &old);
    show("the parent's is as it was", old.rlim_cur != small.rlim_cur && old.rlim_max != small.rlim_max);
}

static void refused(void) {
    struct rlimit wrong = {2, 1}, old, new;
    show("soft beyond hard", setrlimit(RLIMIT_AS, &wrong) == -1 && errno == EINVAL);
    show("no memory", prlimit(0, RLIMIT_AS, (struct rlimit *)8, 0) == -1 && errno == EFAULT);
    getrlimit(RLIMIT_DATA, &old);
    show("prlimit", prlimit(getpid(), RLIMIT_DATA, 0, &new) == 0 && !memcmp(&old, &new, sizeof old));
}

int main(int count, char **arguments) {
    if (count > 1) {
        int isLarge = !strcmp(arguments[1], "large");
        if (soft(RLIMIT_STACK) != (isLarge ? 48 : 1) * MiB) return 10;
        if (isLarge && soft(RLIMIT_AS) != 1024L * MiB) return 11;
        return use(isLarge ? 40 * MiB : 2 * MiB) == 0;
    }
    refused();
    stack(arguments[0]);
    for (int part = 0; part < 2; part++) {
        pid_t child = fork();
        if (child == 0) {
            if (part == 0) addressSpace(); else data();
            _exit(0);
        }
        show("part", waitStatus(child) == 0);
    }
    return 0;
}
