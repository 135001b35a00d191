// Words put together from bytes: in every place of a page, over the border to a page that is there or not, two at a time that
// overlap or not, while another thread changes them. At a fault the handler folds the program counter, the address and the
// registers into a hash: they are those of the byte that faulted.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

static uint8_t *pages;
enum { PAGE = 4096 };

// a0: address; result a0. The second byte is the first one read.
uint64_t word4(const uint8_t *p), word8(const uint8_t *p), pair8(const uint8_t *p, const uint8_t *q);
extern char codeStart[], skip[];
__asm__(
    ".text\n.globl codeStart\ncodeStart:\n"
    "word4: li a1,0\nli a2,0\nli a3,0\nli a4,0\nli a5,0\nlbu a1,1(a0)\nlbu a2,0(a0)\nlbu a3,2(a0)\nlbu a4,3(a0)\nslli a1,a1,8\nor a1,a1,a2\nslli a3,a3,16\nor a1,a1,a3\n"
    "slli a4,a4,24\nor a0,a1,a4\nret\n"
    "word8: mv t0,a0\nli a1,0\nli a2,0\nli a3,0\nli a4,0\nli a5,0\nlbu a1,0(t0)\nlbu a2,1(t0)\nlbu a3,2(t0)\nslli a2,a2,8\nor a1,a1,a2\nlbu a4,3(t0)\nslli a3,a3,16\nor a1,a1,a3\n"
    "lbu a2,4(t0)\nslli a4,a4,24\nor a1,a1,a4\nlbu a3,5(t0)\nlbu a4,6(t0)\nlbu a5,7(t0)\nslli a2,a2,32\nor a1,a1,a2\n"
    "slli a3,a3,40\nor a1,a1,a3\nslli a4,a4,48\nor a1,a1,a4\nslli a5,a5,56\nor a0,a1,a5\nret\n"
    "pair8: mv t0,a0\nmv t1,a1\nli a2,0\nli a3,0\nli a4,0\nli a5,0\nlbu a2,1(t0)\nlbu a3,1(t1)\nlbu a4,0(t0)\nlbu a5,0(t1)\nslli a2,a2,8\nslli a3,a3,8\nor a2,a2,a4\n"
    "or a3,a3,a5\n"
#define BOTH(n, s) "lbu a4," #n "(t0)\nlbu a5," #n "(t1)\nslli a4,a4," #s "\nslli a5,a5," #s "\nor a2,a2,a4\nor a3,a3,a5\n"
    BOTH(2, 16) BOTH(3, 24) BOTH(4, 32) BOTH(5, 40) BOTH(6, 48) BOTH(7, 56)
    "xor a0,a2,a3\nret\n.globl skip\nskip: li a0,-1\nret\n");

static uint64_t hash = 1;
static int faults;
static void fold(uint64_t x) { hash = (hash ^ x) * 0x9E3779B97F4A7C15; hash ^= hash >> 29; }
static void handler(int number, siginfo_t *info, void *context) {
    (void)number;
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    faults++;
    fold(m->__gregs[0] - (uint64_t)codeStart);
    fold((uint64_t)((uint8_t *)info->si_addr - pages));
    for (int r = 12; r <= 15; r++) fold(m->__gregs[r]);                  // a2 to a5
    uint64_t a1 = m->__gregs[11];
    fold(a1 - (uint64_t)pages < 3 * PAGE ? a1 - (uint64_t)pages : a1);
    m->__gregs[0] = (uint64_t)skip;
}

static void everywhere(const char *name, const uint8_t *from, const uint8_t *to) {
    hash = 1;
    faults = 0;
    for (int round = 0; round < 40; round++) {
        for (const uint8_t *p = from; p < to; p++) {
            fold(word4(p));
            fold(word8(p));
            fold(pair8(p, pages + 64));
            fold(pair8(pages + 100, p));
            fold(pair8(p, p - 5));
            fold(pair8(p, p - 8));
        }
    }
    printf("%s: %016llx, %d faults\n", name, (unsigned long long)hash, faults);
}

// A word of zeros becomes one of ones while it is read twice, interleaved: what is read later is not older.
enum { TURNS = 8000 };
static volatile int turn;
static void *setter(void *unused) {
    (void)unused;
    for (int n = 1; n <= TURNS; n++) {
        while (turn != n) {}
        for (volatile int pause = 0; pause < n % 61; pause++) {}
        *(volatile uint64_t *)(pages + 1024) = ~0ull;
    }
    return NULL;
}
static int wrongTurns(void) {
    int wrong = 0;
    for (int n = 1; n <= TURNS; n++) {
        uint64_t a = 0, b = 0, t0, t1;
        uint8_t *p = pages + 1024, *q = p;
        __asm__ volatile("" : "+r"(p), "+r"(q));
        *(volatile uint64_t *)p = 0;
        __asm__ volatile("fence" ::: "memory");
        turn = n;
        while (a != ~0ull) {
            // Byte n of b is read behind byte n of a, and before byte n + 1 of a.
            __asm__ volatile(
                "lbu %0,0(%4)\nlbu %1,0(%5)\n"
#define STEP(n, s) "lbu %2," #n "(%4)\nlbu %3," #n "(%5)\nslli %2,%2," #s "\nslli %3,%3," #s "\nor %0,%0,%2\nor %1,%1,%3\n"
                STEP(1, 8) STEP(2, 16) STEP(3, 24) STEP(4, 32) STEP(5, 40) STEP(6, 48) STEP(7, 56)
                : "=&r"(a), "=&r"(b), "=&r"(t0), "=&r"(t1) : "r"(p), "r"(q) : "memory");
            if (a & ~b) wrong++;
        }
    }
    return wrong;
}

int main(void) {
    pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 3 * PAGE; i++) pages[i] = (uint8_t)(i * 167 + (i >> 8) * 13);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    everywhere("one page", pages + 128, pages + 512);
    everywhere("two pages", pages + PAGE - 24, pages + PAGE + 24);
    mprotect(pages + PAGE, PAGE, PROT_NONE);
    everywhere("over the border", pages + PAGE - 24, pages + PAGE + 8);
    everywhere("from below", pages + 2 * PAGE - 12, pages + 2 * PAGE + 12);
    mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE);
    everywhere("there again", pages + PAGE - 24, pages + PAGE + 24);

    pthread_t thread;
    pthread_create(&thread, NULL, setter, NULL);
    int wrong = wrongTurns();
    pthread_join(thread, NULL);
    printf("interleaved: %d wrong\n", wrong);
    return 0;
}
