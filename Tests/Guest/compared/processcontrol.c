// The options of prctl that mean the same on all architectures, with good and bad arguments.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void call(const char *what, long option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    errno = 0;
    long value = syscall(SYS_prctl, option, a, b, c, d);
    printf("%s: ", what);
    if (value < 0) printf("%s\n", strerrorname_np(errno)); else printf("%ld\n", value);
}

int main(void) {
    int word = -1;
    unsigned long here = (unsigned long)&word, words[64] = {0}, cookie = 1;
    call("ptracer", 0x59616d61, -1UL, 0, 0, 0);
    call("ptracer", 0x59616d61, 0x7fffffff, 0, 0, 0);
    call("seccomp mode", 21, 0, 0, 0, 0);
    call("memory failure", 34, 0, 0, 0, 0);
    call("memory failure with more", 34, 0, 1, 0, 0);
    call("memory failure late", 33, 1, 0, 0, 0);
    call("memory failure bad", 33, 9, 0, 0, 0);
    call("memory failure clear", 33, 0, 0, 0, 0);
    call("huge pages off", 41, 1, 0, 0, 0);
    call("huge pages", 42, 0, 0, 0, 0);
    call("huge pages on", 41, 0, 0, 0, 0);
    call("flusher", 58, 0, 0, 0, 0);
    call("flusher bad", 58, 1, 0, 0, 0);
    call("merging", 68, 0, 0, 0, 0);
    call("merging bad", 68, 0, 1, 0, 0);
    call("secure bits", 27, 0, 0, 0, 0);
    call("keep capabilities", 7, 0, 0, 0, 0);
    call("keep capabilities bad", 8, 2, 0, 0, 0);
    call("bounding set", 23, 0, 0, 0, 0);
    call("bounding set bad", 23, 1000, 0, 0, 0);
    call("no new privileges", 39, 0, 0, 0, 0);
    call("no new privileges bad", 38, 2, 0, 0, 0);
    call("dumpable", 3, 0, 0, 0, 0);
    call("dumpable bad", 4, 2, 0, 0, 0);
    call("death signal bad", 1, 100, 0, 0, 0);
    call("death signal set", 1, 9, 0, 0, 0);
    call("death signal", 2, here, 0, 0, 0);
    printf("%d\n", word);
    call("death signal unset", 1, 0, 0, 0, 0);
    call("death signal to nowhere", 2, 8, 0, 0, 0);
    call("reaper set", 36, 1, 0, 0, 0);
    call("reaper", 37, here, 0, 0, 0);
    printf("%d\n", word);
    call("slack", 30, 0, 0, 0, 0);
    call("timing", 13, 0, 0, 0, 0);
    call("timing set", 14, 1, 0, 0, 0);
    call("counters off", 31, 0, 0, 0, 0);
    call("counters on", 32, 0, 0, 0, 0);
    call("ambient", 47, 1, 0, 0, 0);
    call("ambient bad", 47, 9, 0, 0, 0);
    call("ambient with more", 47, 1, 0, 1, 0);
    call("core scheduling", 62, 0, 0, 0, (unsigned long)&cookie);
    call("core scheduling bad", 62, 9, 0, 0, 0);
    call("name nowhere", 15, 0, 0, 0, 0);
    call("name", 15, (unsigned long)"renamed", 0, 0, 0);
    call("name read", 16, (unsigned long)words, 0, 0, 0);
    printf("%s\n", (char *)words);
    call("map size", 35, 15, here, 0, 0);
    call("anonymous name bad", 0x53564d41, 9, 0, 0, 0);
    call("anonymous name misaligned", 0x53564d41, 0, here | 1, 4096, 0);
    call("timer numbers", 77, 2, 0, 0, 0);
    call("timer numbers bad", 77, 9, 0, 0, 0);
    call("thread's word", 40, (unsigned long)words, 0, 0, 0);
    printf("%d\n", words[0] != 0);
    call("thread's word nowhere", 40, 8, 0, 0, 0);
    const int elsewhere[] = {0, 5, 6, 9, 10, 11, 12, 19, 20, 43, 44, 45, 46, 50, 51, 54, 60, 61, 63, 64, 72, 73, 999, -1};
    for (unsigned i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        sprintf((char *)words, "option %d", elsewhere[i]);
        call((char *)words, elsewhere[i], 0, 0, 0, 0);
    }
    return 0;
}
