// Threads map, write, run and unmap code, while others fork, execute, send signals, start and end. Every result is checked; the program
// is right on every machine, whatever the order of events.
//
//   codestress [SECONDS [SEED [PARTS]]]     PARTS: letters of the table at the end; all by default
//
// args: 1 1
// oracle: none. The emulator that writes expectations does not see what is written through a second mapping of a page.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "code.h"

enum { PAGE = 4096, AREA = 16 * PAGE, THREADS = 24, SLOTS = 4, RIGHTS = PROT_READ | PROT_WRITE | PROT_EXEC };

static _Atomic long failures, rounds;
static uint64_t deadline, seed = 1;
static const char *self;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void fail(const char *part, long got, long want) {
    if (atomic_fetch_add(&failures, 1) < 10)
        dprintf(1, "%s: %lx instead of %lx (errno %d, seed %lu)\n", part, got, want, errno, (unsigned long)seed);
}

#define CHECK(part, got, want) do { long g_ = (got), w_ = (want); if (g_ != w_) fail(part, g_, w_); } while (0)

// One thread's random numbers (xorshift64*) and its own part of the address space, mapped by nobody else.
typedef struct Worker {
    uint64_t random;
    char *area;
    int memory;                 // a memory file of one area
    pthread_t thread;
    pid_t id;
    _Atomic long signals;       // taken
    int faults;                 // taken, of `faulted`
    void (*step)(struct Worker *);
    _Atomic int over;
} Worker;

static Worker workers[THREADS];
static int workerCount;

static uint32_t draw(Worker *w, uint32_t below) {
    w->random ^= w->random >> 12; w->random ^= w->random << 25; w->random ^= w->random >> 27;
    return (uint32_t)((w->random * 0x2545f4914f6cdd1dull >> 33) % below);
}

// Code: functions of one argument.

static uint32_t *constant(uint32_t *at, int reg, uint32_t value) {  // value < 2^31
    *at++ = ((value + 0x800) & 0xfffff000) | reg << 7 | 0x37;         // lui reg, high
    *at++ = value << 20 | reg << 15 | reg << 7 | (WIDE ? 0x1b : 0x13);  // addiw or addi reg, reg, low
    return at;
}

// Returns `value` plus its argument; `length` instructions longer than it must be.
static void write_adder(void *to, uint32_t value, int length) {
    uint32_t code[80], *at = constant(code, 5, value);
    for (int i = 0; i < length; i++) *at++ = 0x00130313;             // addi t1, t1, 1
    *at++ = 0x00550533;                                              // add a0, a0, t0
    *at++ = RET;
    memcpy(to, code, (char *)at - (char *)code);
}

// Calls `callee` with its argument and adds one.
static void write_caller(void *to, const void *callee) {
    uint64_t address = (uintptr_t)callee;
    uint32_t code[16], *at = code;
    *at++ = 0xff010113;                                              // addi sp, sp, -16
    *at++ = store_ra(0);
    *at++ = 0x00000297;                                              // auipc t0, 0
    *at++ = 0x0202a283 | WIDE;                                       // load t0, 32(t0)
    *at++ = 0x000280e7;                                              // jalr ra, t0
    *at++ = load_ra(0);
    *at++ = 0x01010113;                                              // addi sp, sp, 16
    *at++ = 0x00150513;                                              // addi a0, a0, 1
    *at++ = RET;
    *at++ = 0x00000013;
    memcpy(at, &address, 8);                                         // auipc's address + 32
    memcpy(to, code, sizeof code);
}

static long call(const void *code, long argument) { return ((Function)code)(argument); }

// Calls code often enough to make it hot now and then.
static void check_code(Worker *w, const char *part, const void *code, uint32_t value) {
    int times = draw(w, 40) == 0 ? 6000 : 1 + draw(w, 20);
    for (int i = 0; i < times; i++) CHECK(part, call(code, i), (long)value + i);
}

// What is added to it fits a register of 32 bits.
static uint32_t value(Worker *w) { return draw(w, 0x7fff0000); }
// Anywhere in two pages, also across the border between them, and with an instruction across it.
static int offset(Worker *w) { return draw(w, 3) == 0 ? PAGE - 2 * (1 + (int)draw(w, 16)) : (int)draw(w, PAGE / 2) * 2; }

static char *map(char *at, size_t size, int rights, int flags, int file) {
    char *got = mmap(at, size, rights, flags | MAP_FIXED, file, 0);
    CHECK("mmap", (long)got, (long)at);
    return at;
}

static char *map_own(char *at, size_t size) { return map(at, size, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS, -1); }

// Takes away what is mapped in an own area, and keeps the addresses: free ones would go to whoever asks the kernel.
static int leave(char *at, size_t size) {
    return mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == at ? 0 : -1;
}

static void write_code(Worker *w, char *to, uint32_t value) {
    int length = draw(w, 60);
    write_adder(to, value, length);
    flush(to, 4 * (length + 4));
}

// The parts. Each step leaves nothing mapped in the worker's area.

static void fresh(Worker *w) {
    char *page = map_own(w->area, 2 * PAGE), *code = page + offset(w);
    for (int i = draw(w, 6); i >= 0; i--) {
        uint32_t v = value(w);
        write_code(w, code, v);
        check_code(w, "fresh", code, v);
    }
    CHECK("leave", leave(page, 2 * PAGE), 0);
}

// Where the kernel puts it: what one thread gives back, another gets. Many small functions, most of them run once.
static void roaming(Worker *w) {
    enum { COUNT = 200, SIZE = 32 };
    int pages = 2 + draw(w, 2);
    char *code = mmap(0, pages * PAGE, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t v = value(w) / 2;
    for (int i = 0; i < COUNT; i++) write_adder(code + SIZE * i, v + i, 2);
    flush(code, SIZE * COUNT);
    for (int i = 0; i < COUNT; i++) CHECK("roaming", call(code + SIZE * i, i), (long)v + 2 * i);
    CHECK("munmap", munmap(code, pages * PAGE), 0);
}

static void moved(Worker *w) {
    char *from = mmap(0, 2 * PAGE, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *to = w->area + 4 * PAGE;
    int at = offset(w);
    uint32_t v = value(w), other = value(w);
    write_code(w, from + at, v);
    check_code(w, "before the move", from + at, v);
    if (draw(w, 2)) {  // over other code
        map_own(to, 2 * PAGE);
        write_code(w, to + at, other);
        check_code(w, "under the move", to + at, other);
    }
    CHECK("mremap", (long)mremap(from, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), (long)to);
    flush(to, 2 * PAGE);
    check_code(w, "moved", to + at, v);
    // Where it came from, unless another thread has got the addresses.
    if (mmap(from, 2 * PAGE, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == from) {
        write_code(w, from + at, other);
        check_code(w, "after the move", from + at, other);
        check_code(w, "moved", to + at, v);
        munmap(from, 2 * PAGE);
    }
    leave(w->area, 6 * PAGE);
}

static void over(Worker *w) {
    char *code = w->area + offset(w);
    for (int i = draw(w, 4); i >= 0; i--) {
        uint32_t v = value(w);
        map_own(w->area, 3 * PAGE);
        write_code(w, code, v);
        check_code(w, "mapped over", code, v);
        if (draw(w, 2)) {  // the first page alone
            map_own(w->area, PAGE);
            if (code < w->area + PAGE) { write_code(w, code, v + 1); v++; }
            flush(w->area, 3 * PAGE);
            check_code(w, "mapped over in part", code, v);
        }
    }
    leave(w->area, 3 * PAGE);
}

static void flipped(Worker *w) {
    char *page = map_own(w->area, 2 * PAGE), *code = page + offset(w);
    for (int i = draw(w, 6); i >= 0; i--) {
        uint32_t v = value(w);
        CHECK("mprotect", mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE), 0);
        write_code(w, code, v);
        CHECK("mprotect", mprotect(page, 2 * PAGE, PROT_READ | PROT_EXEC), 0);
        check_code(w, "flipped", code, v);
        if (draw(w, 2)) {
            mprotect(page, 2 * PAGE, PROT_NONE);
            mprotect(page, 2 * PAGE, PROT_READ | PROT_EXEC);
            check_code(w, "flipped", code, v);
        }
    }
    leave(page, 2 * PAGE);
}

static void aliased(Worker *w) {
    char *writer = map(w->area, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, w->memory);
    char *runner = map(w->area + 4 * PAGE, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, w->memory);
    int at = offset(w);
    for (int i = draw(w, 6); i >= 0; i--) {
        uint32_t v = value(w);
        write_code(w, writer + at, v);
        flush(runner, 2 * PAGE);
        check_code(w, "aliased", runner + at, v);
        if (draw(w, 3) == 0) {
            leave(runner, 2 * PAGE);
            map(runner, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, w->memory);
            check_code(w, "aliased again", runner + at, v);
        }
    }
    leave(w->area, 6 * PAGE);
}

static void linked(Worker *w) {
    char *caller = map_own(w->area, PAGE), *callee = map_own(w->area + 2 * PAGE, 2 * PAGE);
    int at = offset(w);
    write_caller(caller, callee + at);
    flush(caller, 64);
    for (int i = draw(w, 6); i >= 0; i--) {
        uint32_t v = value(w) / 2;
        if (draw(w, 2)) {
            leave(callee, 2 * PAGE);
            map_own(callee, 2 * PAGE);
        }
        write_code(w, callee + at, v);
        check_code(w, "linked", caller, v + 1);
    }
    leave(w->area, 4 * PAGE);
}

// Code that several threads run, each slot under a lock of its own: readers count up, a writer makes it -1.
static struct { _Atomic int lock; uint32_t value; char *code; } slots[SLOTS];

static void shared(Worker *w) {
    int i = draw(w, SLOTS), expected = 0;
    if (draw(w, 4) == 0) {
        if (!atomic_compare_exchange_strong(&slots[i].lock, &expected, -1)) return;
        if (draw(w, 3) == 0) map_own(slots[i].code, PAGE);
        slots[i].value = value(w);
        write_code(w, slots[i].code, slots[i].value);
        atomic_store(&slots[i].lock, 0);
        return;
    }
    expected = atomic_load(&slots[i].lock);
    if (expected < 0 || !atomic_compare_exchange_strong(&slots[i].lock, &expected, expected + 1)) return;
    __asm__ volatile("fence.i" : : : "memory");
    if (slots[i].value) check_code(w, "shared", slots[i].code, slots[i].value);
    atomic_fetch_sub(&slots[i].lock, 1);
}

// Children. A child of a program with threads may only make system calls: no allocation, no locks.

static volatile sig_atomic_t alarms;
static void count_alarm(int signal) { (void)signal; alarms++; }

static int child_body(Worker *w, char *code, uint32_t v) {
    failures = 0;
    check_code(w, "in a child", code, v);
    for (int i = 0; i < 3; i++) {
        uint32_t other = value(w);
        write_code(w, code, other);
        check_code(w, "written by a child", code, other);
        fresh(w);
    }
    alarms = 0;
    CHECK("raise", syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2), 0);
    CHECK("a child's signal", alarms, 1);
    return failures ? 1 : 33;
}

static void wait_for(pid_t child, int want) {
    int status = 0;
    pid_t got;
    do got = waitpid(child, &status, 0); while (got < 0 && errno == EINTR);
    CHECK("waitpid", got, child);
    CHECK("a child's status", status, want);
}

static void forked(Worker *w) {
    char *code = map_own(w->area + 8 * PAGE, 2 * PAGE) + offset(w);
    uint32_t v = value(w);
    write_code(w, code, v);
    check_code(w, "before fork", code, v);
    int kind = draw(w, 4);
    pid_t child = fork();
    if (child == 0) {
        int result = child_body(w, code, v);
        if (kind == 0) kill(getpid(), SIGKILL);
        if (kind == 1) execl(self, self, "child", (char *)0);
        _exit(result);
    }
    if (child < 0) return;
    check_code(w, "beside a child", code, v);
    wait_for(child, kind == 0 ? SIGKILL : 33 << 8);
    check_code(w, "after a child", code, v);
    leave(w->area + 8 * PAGE, 2 * PAGE);
}

static void executed(Worker *w) {
    (void)w;
    pid_t child = vfork();
    if (child == 0) {
        execl(self, self, "child", (char *)0);
        _exit(1);
    }
    if (child > 0) wait_for(child, 33 << 8);
}

// Threads that live for a moment.
static void *brief(void *argument) {
    Worker *w = argument;
    uint32_t v = value(w);
    char *code = w->area + 10 * PAGE;
    write_code(w, code, v);
    check_code(w, "in a brief thread", code, v);
    return (void *)(long)v;
}

static void started(Worker *w) {
    pthread_t thread;
    void *result;
    char *code = map_own(w->area + 10 * PAGE, PAGE);
    if (pthread_create(&thread, 0, brief, w)) return;
    pthread_join(thread, &result);
    flush(code, 256);
    check_code(w, "of a brief thread", code, (long)result);
    leave(code, PAGE);
}

// Signals: the handler runs code that was written before there were others.
static char *handlerCode;
static __thread Worker *current;
static void handle(int signal) {
    (void)signal;
    int kept = errno;
    CHECK("in a handler", call(handlerCode, 5), 1005);
    if (current) atomic_fetch_add(&current->signals, 1);
    errno = kept;
}

// A fault at code, or at a store to it, whose handler gives the pages their rights back.
static void permit(int signal, siginfo_t *information, void *context) {
    (void)signal; (void)context;
    char *pages = current ? current->area + 12 * PAGE : 0, *at = information->si_addr;
    if (!pages || at < pages || at >= pages + 2 * PAGE || ++current->faults > 3) {
        dprintf(1, "a fault at %p, the %dth\n", (void *)at, current ? current->faults : 0);
        _exit(1);
    }
    mprotect(pages, 2 * PAGE, RIGHTS);
}

static void faulted(Worker *w) {
    char *page = map_own(w->area + 12 * PAGE, 2 * PAGE), *code = page + PAGE - 2 * (1 + draw(w, 8));
    uint32_t v = value(w), other = value(w);
    static const int rights[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    write_adder(code, v, 8);
    flush(code, 64);
    if (draw(w, 2)) check_code(w, "before a fault", code, v);
    CHECK("mprotect", mprotect(page + PAGE, PAGE, rights[draw(w, 3)]), 0);
    w->faults = 0;
    check_code(w, "through a fault", code, v);
    CHECK("faults of code", w->faults, 1);
    mprotect(page, 2 * PAGE, PROT_READ | PROT_EXEC);
    w->faults = 0;
    write_adder(code, other, 8);
    flush(code, 64);
    CHECK("faults of stores", w->faults, 1);
    check_code(w, "after a fault", code, other);
    leave(page, 2 * PAGE);
}

// A signal to another thread arrives, unless that thread ends.
static void signalled(Worker *w) {
    Worker *target = &workers[draw(w, workerCount)];
    if (target == w || !target->id || atomic_load(&target->over)) return;
    long before = atomic_load(&target->signals);
    if (syscall(SYS_tgkill, getpid(), target->id, SIGUSR1)) return;
    uint64_t limit = now() + 20000000000ull;
    while (atomic_load(&target->signals) == before && !atomic_load(&target->over)) {
        sched_yield();
        if (now() > limit) { fail("a signal is lost", target - workers, 0); return; }
    }
}

static const struct { char letter; void (*step)(Worker *); int threads; } parts[] = {
    {'f', fresh, 2}, {'r', roaming, 5}, {'m', moved, 2}, {'o', over, 1}, {'p', flipped, 1}, {'a', aliased, 1}, {'l', linked, 2},
    {'s', shared, 3}, {'c', forked, 2}, {'e', executed, 1}, {'t', started, 1}, {'h', faulted, 1}, {'g', signalled, 1},
};

static void *work(void *argument) {
    Worker *w = current = argument;
    w->id = syscall(SYS_gettid);
    while (now() < deadline && !failures) {
        w->step(w);
        atomic_fetch_add(&rounds, 1);
    }
    atomic_store(&w->over, 1);
    return 0;
}

int main(int count, char **arguments) {
    self = "/proc/self/exe";
    if (count > 1 && !strcmp(arguments[1], "child")) return 33;
    long seconds = count > 1 ? atol(arguments[1]) : 1;
    if (count > 2) seed = strtoull(arguments[2], 0, 0);
    const char *wanted = count > 3 ? arguments[3] : "frmopalsecthg";
    alarm(seconds + 100);  // ends what hangs
    deadline = now() + seconds * 1000000000ull;

    handlerCode = mmap(0, PAGE, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    write_adder(handlerCode, 1000, 3);
    flush(handlerCode, PAGE);
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, 0);
    sigaction(SIGPROF, &action, 0);
    action.sa_handler = count_alarm;
    sigaction(SIGUSR2, &action, 0);
    sigaction(SIGSEGV, &(struct sigaction){.sa_sigaction = permit, .sa_flags = SA_SIGINFO}, 0);
    for (int i = 0; i < SLOTS; i++) slots[i].code = mmap(0, PAGE, RIGHTS, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *room = mmap(0, (size_t)THREADS * AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
    timer_t timer;
    if (strchr(wanted, 'g') && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
        timer_settime(timer, 0, &(struct itimerspec){{0, 3000000}, {0, 3000000}}, 0);

    for (unsigned part = 0; part < sizeof parts / sizeof parts[0]; part++) {
        if (!strchr(wanted, parts[part].letter)) continue;
        for (int i = 0; i < parts[part].threads; i++) {
            Worker *w = &workers[workerCount];
            w->random = (seed * 1000 + workerCount + 1) * 0x9e3779b97f4a7c15ull;
            w->area = room + (size_t)workerCount * AREA;
            w->step = parts[part].step;
            w->memory = memfd_create("code", 0);
            if (ftruncate(w->memory, AREA)) return 1;
            workerCount++;
        }
    }
    for (int i = 0; i < workerCount; i++) if (pthread_create(&workers[i].thread, 0, work, &workers[i])) return 1;
    for (int i = 0; i < workerCount; i++) pthread_join(workers[i].thread, 0);
    if (getenv("CODESTRESS_ROUNDS")) fprintf(stderr, "%ld rounds\n", (long)rounds);
    puts(failures ? "FAILED" : rounds ? "ok" : "nothing was run");
    return failures != 0;
}
