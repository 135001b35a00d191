// mseal: what can be done with sealed memory, and with its neighbours; then calls that change code in it all the same.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
enum { page = 4096 };
static void say(const char *what, long result) { printf("%s: %s\n", what, result == -1 ? strerrorname_np(errno) : "ok"); }
static char *pages(int count) { return mmap(0, count * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static long mseal_(void *start, size_t length) { return syscall(SYS_mseal, start, length, 0); }

int main(void) {
    char *memory = pages(16);
    munmap(memory + 12 * page, page);
    say("a hole", mseal_(memory + 11 * page, 3 * page));
    say("four pages", mseal_(memory + 4 * page, 3 * page + 1));
    say("again", mseal_(memory + 3 * page, 3 * page));
    // Sealed: 3 to 7.
    memory[5 * page] = 1;
    say("munmap", munmap(memory + 7 * page, page));
    say("munmap around", munmap(memory + 2 * page, 8 * page));
    say("munmap of nothing", munmap(memory + 12 * page, page));
    say("mprotect", mprotect(memory + 3 * page, page, PROT_READ));
    say("mprotect below", mprotect(memory + 2 * page, page, PROT_READ));
    say("mprotect above", mprotect(memory + 8 * page, page, PROT_READ));
    say("mmap over", mmap(memory + 6 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
    say("mmap beside", mmap(memory + 8 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
    say("mremap, smaller", mremap(memory + 3 * page, 2 * page, page, 0) == MAP_FAILED ? -1 : 0);
    say("mremap, elsewhere", mremap(memory + 3 * page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, memory + 12 * page) == MAP_FAILED ? -1 : 0);
    say("mremap, onto it", mremap(memory + 9 * page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, memory + 6 * page) == MAP_FAILED ? -1 : 0);
    say("madvise", madvise(memory + 5 * page, page, MADV_DONTNEED));
    printf("%d\n", memory[5 * page]);
    char *constant = pages(2);
    mprotect(constant, page, PROT_READ);
    mseal_(constant, page);
    say("madvise of constants", madvise(constant, page, MADV_DONTNEED));
    say("harmless advice", madvise(constant, page, MADV_WILLNEED));
    say("msync", msync(constant, page, MS_SYNC));
    fflush(stdout);
    if (!fork()) {
        say("a child: munmap", munmap(constant, page));
        fflush(stdout);
        _exit(0);
    }
    wait(0);
    say("kinds of flags", syscall(SYS_mseal, constant, page, 1));
    say("no multiple of a page", mseal_(constant + 1, page));
    say("nothing", mseal_(constant, 0));
    say("too long", mseal_(constant, -1));
}
