// What one hart may see of memory that another hart changes (RVWMO): a location never goes back, whatever register and size
// it is read by; a load whose address depends on another load, or that a fence parts from it, comes after it; loops see
// changes. And what a fault between stores leaves: all stores before it, none after.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { ROUNDS = 100000 };
static struct { volatile uint64_t x, pad[15], y; } shared __attribute__((aligned(128)));
static volatile int done;

// x and y count up, x first. Every word of x holds the same number.
static void *writer(void *unused) {
    (void)unused;
    for (uint32_t n = 1; !done; n++) {
        shared.x = n | (uint64_t)n << 32;
        __asm__ volatile("fence w, w" ::: "memory");
        shared.y = n;
        for (volatile int pause = 0; pause < (int)(n & 15); pause++) {}
    }
    return NULL;
}

typedef struct { uint32_t a, b, c; } Seen;
// %4 and %5 are the address of x, %6 that of y. LATER makes what is read through %5 wait for divisions.
#define LATER "divu %3, %5, %5\ndivu %3, %3, %3\ndivu %3, %3, %3\naddi %3, %3, -1\nadd %5, %5, %3\n"
#define READER(name, code)                                                                                       \
    __attribute__((noinline)) static Seen name(void) {                                                           \
        uint64_t a, b, c, t, *p = (uint64_t *)&shared.x, *q = p, *y = (uint64_t *)&shared.y;                      \
        __asm__ volatile("" : "+r"(p), "+r"(q), "+r"(y));                                                        \
        __asm__ volatile(code : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(t), "+r"(p), "+r"(q), "+r"(y) : : "memory"); \
        return (Seen){(uint32_t)a, (uint32_t)b, (uint32_t)c};                                                    \
    }
READER(sameRegister, "lwu %0, 0(%4)\nlwu %1, 0(%4)\nlwu %2, 0(%4)")
READER(otherRegister, "lwu %0, 0(%4)\n" LATER "lwu %1, 0(%5)\nlwu %2, 0(%4)")
READER(otherSize, "lwu %0, 0(%4)\nld %1, 0(%4)\nlwu %2, 0(%4)")
READER(otherSizeOtherRegister, "lwu %0, 4(%4)\n" LATER "ld %1, 0(%5)\nlwu %2, 4(%4)")
READER(dependent, "lwu %0, 0(%4)\n" LATER "lwu %1, 128(%5)\nxor %3, %1, %1\nadd %4, %4, %3\nlwu %2, 0(%4)")
READER(dependentNear, "lwu %0, 0(%4)\nlwu %1, 128(%4)\nsub %3, %1, %1\nadd %4, %4, %3\nlwu %2, 0(%4)")
READER(fenced, "lwu %0, 0(%4)\n" LATER "lwu %1, 128(%4)\nfence r, r\nlwu %2, 0(%4)")
READER(acquired, "lwu %0, 0(%4)\n" LATER "lr.w.aq %1, (%6)\nlwu %2, 0(%4)")

// `isOne`: all three are x. Else the second is y, which follows x: it may be behind what was read before, never ahead of what is
// read after.
static void check(const char *name, Seen (*reader)(void), int isOne) {
    uint32_t last = 0, wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        Seen s = reader();
        if (s.a < last || s.c < s.b || (isOne && s.b < s.a)) wrong++;
        last = s.a;
    }
    printf("%s: %u wrong\n", name, wrong);
}

// Own stores: what comes back is the own value or a newer one, and does not go back to it.
static uint64_t own[2] __attribute__((aligned(64)));
static void *overwriter(void *unused) {
    (void)unused;
    for (uint64_t n = 2; !done; n++) *(volatile uint64_t *)own = n;
    return NULL;
}
static uint64_t wrongOwn(void) {
    uint64_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t a, b, c = 1, t, *p = own, *q = own;
        __asm__ volatile("" : "+r"(p), "+r"(q));
        __asm__ volatile("sd %2, 0(%4)\n" LATER "ld %0, 0(%5)\nld %1, 0(%4)"
            : "=&r"(a), "=&r"(b), "+r"(c), "=&r"(t), "+r"(p), "+r"(q) : : "memory");
        if (a != 1 && b == 1) wrong++;
    }
    return wrong;
}

// A loop that looks at one place, twice per turn.
static volatile uint64_t flag;
static void *raiser(void *unused) {
    (void)unused;
    for (volatile int i = 0; i < 3000000; i++) {}
    flag = 1;
    return NULL;
}

// Stores with a fault between them.
static long *page, *plain, *bad;
static int faults, wrongFaults;
enum { T0 = 5, T1 = 6 };
static void handler(int number, siginfo_t *info, void *context) {
    (void)number;
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    long v = (long)m->__gregs[T0];
    faults++;
    if (info->si_addr != (void *)bad || plain[0] != v + 1 || plain[1] != v || plain[2] != v + 1
        || (long)m->__gregs[T1] != v + 2) {
        wrongFaults++;
    }
    m->__gregs[0] += 4;
}
__attribute__((noinline)) static long storeThrough(long *p, long *q, long v) {
    register long value __asm__("t0") = v;
    register long t __asm__("t1");
    long r;
    __asm__ volatile(
        ".option push\n.option norvc\n"
        "sd %3, 0(%4)\nsd %3, 8(%4)\nld %0, 0(%4)\naddi %0, %0, 1\nsd %0, 0(%4)\nsd %0, 16(%4)\nld %0, 16(%4)\naddi %0, %0, 1\n"
        "sd %0, 0(%5)\n"
        "sd zero, 0(%4)\nsw %0, 8(%4)\nsw zero, 12(%4)\nld %1, 8(%4)\nld %0, 0(%4)\nadd %1, %1, %0\n.option pop"
        : "=&r"(t), "=&r"(r), "+m"(*p)
        : "r"(value), "r"(p), "r"(q)
        : "memory");
    return r;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, writer, NULL);
    check("same register", sameRegister, 1);
    check("other register", otherRegister, 1);
    check("other size", otherSize, 1);
    check("other size and register", otherSizeOtherRegister, 1);
    check("dependent", dependent, 0);
    check("dependent, near", dependentNear, 0);
    check("fenced", fenced, 0);
    check("acquired", acquired, 0);
    done = 1;
    pthread_join(thread, NULL);

    done = 0;
    pthread_create(&thread, NULL, overwriter, NULL);
    printf("own store: %lu wrong\n", (unsigned long)wrongOwn());
    done = 1;
    pthread_join(thread, NULL);

    pthread_create(&thread, NULL, raiser, NULL);
    while (!flag && !flag) {}
    puts("loop ended");
    pthread_join(thread, NULL);

    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    plain = page;
    bad = page + 512;
    long sum = 0;
    for (int i = 0; i < 6000; i++) {
        if (i % 100 == 0) mprotect(bad, 4096, PROT_READ);
        if (i % 100 == 3) mprotect(bad, 4096, PROT_READ | PROT_WRITE);
        sum += storeThrough(plain, bad, i);
    }
    // Where all stores are to one page, the last ones find what the first ones left.
    for (int i = 0; i < 3000; i++) sum += storeThrough(plain, plain, i);
    printf("faults %d, wrong %d, sum %ld\n", faults, wrongFaults, sum);
    return 0;
}
