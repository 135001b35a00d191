// One of several threads stores to an address that is not mapped: ends by SIGSEGV. What its core file must hold lies at fixed places
// (CoreDumpTests). With arguments the process ends in other ways:
//
//   raise N         the crashing thread sends itself signal N
//   kill N          a child process sends signal N
//   limit           no core file is allowed until the program has raised its limit
//   undumpable      the program does not want one
//   vfork           a child in this memory faults; the program goes on and exits with the child's signal
//   mask            the fault is blocked
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Words for the reader: addresses of instructions, then of memory.
static uint64_t *const facts = (uint64_t *)0x1000000000;
static char *const wide = (char *)0x1100000000;       // 512 MiB, one page of it written
static char *const hidden = (char *)0x1200000000;     // written, then without any rights
static char *const unwanted = (char *)0x1300000000;   // MADV_DONTDUMP
static char *const common = (char *)0x1400000000;     // shared
static char *const original = (char *)0x1500000000;    // a file, not written to
static char *const copied = (char *)0x1600000000;     // the same file, written to
static char *const code = (char *)0x1700000000;       // executable and writable

extern char spin_here[], crash_here[], wait_here[];
static volatile int ready;
static const char *way = "";
static int number;

static char *map(char *at, size_t size, int rights, int flags, int fd) {
    char *got = mmap(at, size, rights, flags | MAP_FIXED_NOREPLACE, fd, 0);
    if (got != at) exit(1);
    return got;
}

static void *spinner(void *unused) {
    double pi = 3.25;
    __asm__ volatile(
        "li s2, 0x1111222233334444\n fmv.d fs2, %1\n li t0, 1\n fsflagsi 0x11\n amoadd.w zero, t0, (%0)\n"
        ".globl spin_here\nspin_here: j spin_here"
        : : "r"(&ready), "f"(pi) : "s2", "t0", "fs2", "memory");
    return unused;
}

static void *waiter(void *unused) {
    int ends[2];
    char byte;
    if (pipe(ends)) exit(1);
    __asm__ volatile(
        "li s2, 0x5555666677778888\n li t0, 1\n amoadd.w zero, t0, (%0)\n"
        "mv a0, %1\n mv a1, %2\n li a2, 1\n li a7, 63\n ecall\n"
        ".globl wait_here\nwait_here: nop"
        : : "r"(&ready), "r"((long)ends[0]), "r"(&byte) : "s2", "t0", "a0", "a1", "a2", "a7", "memory");
    return unused;
}

static __attribute__((noinline)) void crash(void) {
    if (!strcmp(way, "raise")) raise(number);
    if (!strcmp(way, "kill")) {
        pid_t parent = getpid();
        if (fork() == 0) { kill(parent, number); _exit(0); }
        for (;;) pause();
    }
    __asm__ volatile(
        "li s2, 0x123456789abcdef0\n li t1, 0xdead000\n"
        ".globl crash_here\ncrash_here: sw zero, 0x10(t1)"
        : : : "s2", "t1", "memory");
}

static void *crasher(void *unused) {
    while (ready < 2) usleep(1000);
    usleep(10000);
    crash();
    return unused;
}

int main(int count, char **arguments) {
    if (count > 1) way = arguments[1];
    if (count > 2) number = atoi(arguments[2]);
    int own = MAP_PRIVATE | MAP_ANONYMOUS, all = PROT_READ | PROT_WRITE;
    map((char *)facts, 4096, all, own, -1);
    facts[0] = (uint64_t)crash_here; facts[1] = (uint64_t)spin_here; facts[2] = (uint64_t)wait_here;
    map(wide, 512 << 20, all, own | MAP_NORESERVE, -1);
    strcpy(wide + (300 << 20), "in the middle");
    map(hidden, 4096, all, own, -1);
    strcpy(hidden, "behind a wall");
    mprotect(hidden, 4096, PROT_NONE);
    map(unwanted, 4096, all, own, -1);
    strcpy(unwanted, "not for you");
    madvise(unwanted, 4096, MADV_DONTDUMP);
    map(common, 4096, all, MAP_SHARED | MAP_ANONYMOUS, -1);
    strcpy(common, "for everybody");
    int file = memfd_create("file", 0);
    char page[4096] = "\177ELF, or so it seems";
    for (int i = 0; i < 2; i++) if (write(file, page, sizeof page) != sizeof page) return 1;
    map(original, 8192, PROT_READ, MAP_PRIVATE, file);
    map(copied, 8192, all, MAP_PRIVATE, file);
    copied[4100] = 'c';
    map(code, 8192, all | PROT_EXEC, own, -1);
    const uint32_t returns = 0x00008067;
    memcpy(code, &returns, 4);
    __builtin___clear_cache(code, code + 4);
    ((void (*)(void))code)();
    memcpy(code + 4096, "data beside code", 16);

    if (!strcmp(way, "limit")) setrlimit(RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    if (!strcmp(way, "undumpable")) prctl(PR_SET_DUMPABLE, 0);
    if (!strcmp(way, "mask")) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGSEGV);
        sigprocmask(SIG_BLOCK, &set, 0);
    }
    pthread_t threads[3];
    pthread_create(&threads[0], 0, spinner, 0);
    pthread_create(&threads[1], 0, waiter, 0);
    if (!strcmp(way, "vfork")) {
        int status;
        while (ready < 2) usleep(1000);
        pid_t child = vfork();
        if (child == 0) { crash(); _exit(0); }
        if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) return 1;
        return WTERMSIG(status) == SIGSEGV && prctl(PR_GET_DUMPABLE) == 1 ? 42 : 2;
    }
    pthread_create(&threads[2], 0, crasher, 0);
    pthread_join(threads[2], 0);
    return 0;
}
