// The init program of the kernels that `devtool test long linux32` boots: it asks the kernel for what an emulator of a whole machine may
// get wrong (processes, page faults, signals, floating point across switches, harts that wait for each other), and says what came of it.
//
// Each part folds what it computed into one sum. The last line is that sum, equal on every machine and for any number of harts, or
// "FAILED" where something was not as it must be. Then the machine is switched off.
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

static unsigned failures;
static uint64_t sum = 0xcbf29ce484222325u;

static void fold(uint64_t value) {
    for (int byte = 0; byte < 8; byte++, value >>= 8) sum = (sum ^ (value & 255)) * 0x100000001b3u;
}

static void must(int holds, const char *what) {
    if (holds) return;
    failures++;
    printf("not so: %s (errno %d, %s)\n", what, errno, strerror(errno));
}
#define MUST(condition) must(condition, #condition)

// Numbers that look random: the same ones from the same seed.
static uint32_t next(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

static void fill(uint32_t *words, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++) words[i] = next(&seed);
}

static uint64_t mix(const uint32_t *words, size_t count) {
    uint64_t value = count;
    for (size_t i = 0; i < count; i++) value = (value ^ words[i]) * 0x9E3779B97F4A7C15u + (value >> 29);
    return value;
}

static int transfer(ssize_t (*call)(int, void *, size_t), int file, void *bytes, size_t count) {
    for (size_t done = 0; done < count;) {
        ssize_t part = call(file, (char *)bytes + done, count - done);
        if (part <= 0) return 0;
        done += (size_t)part;
    }
    return 1;
}
static ssize_t put(int file, void *bytes, size_t count) { return write(file, bytes, count); }

// The exit status of a child, or -1 where a signal ended it.
static int status_of(pid_t child) {
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void names(void) {
    struct utsname name;
    MUST(uname(&name) == 0);
    printf("%s %s %s, %d bits, harts: %ld\n", name.sysname, name.release, name.machine, (int)sizeof(long) * 8, sysconf(_SC_NPROCESSORS_ONLN));
    MUST(strcmp(name.sysname, "Linux") == 0 && strcmp(name.machine, "riscv32") == 0 && getppid() == 1);
    fold(sizeof(long));
}

// Children that send back what they get, changed, through two pipes: more than a pipe holds, so that both sides wait for each other.
static void pipes(void) {
    enum { CHILDREN = 4, WORDS = 4096, ROUNDS = 128 };
    static uint32_t words[WORDS];
    for (int number = 0; number < CHILDREN; number++) {
        int there[2], back[2];
        MUST(pipe(there) == 0 && pipe(back) == 0);
        pid_t child = fork();
        if (child == 0) {
            close(there[1]);
            close(back[0]);
            for (int round = 0; round < ROUNDS; round++) {
                if (!transfer(read, there[0], words, sizeof words)) _exit(1);
                for (int i = 0; i < WORDS; i++) words[i] = words[i] * 3 + (uint32_t)number;
                if (!transfer(put, back[1], words, sizeof words)) _exit(2);
            }
            char rest;
            _exit(read(there[0], &rest, 1) == 0 ? 40 + number : 3);
        }
        close(there[0]);
        close(back[1]);
        for (uint32_t round = 0; round < ROUNDS; round++) {
            fill(words, WORDS, round);
            MUST(transfer(put, there[1], words, sizeof words));
            MUST(transfer(read, back[0], words, sizeof words));
            fold(mix(words, WORDS));
        }
        close(there[1]);
        close(back[0]);
        MUST(status_of(child) == 40 + number);
    }
}

// A file by calls and by a mapping, its end moved, its name changed.
static void file_in(const char *folder) {
    enum { WORDS = 1 << 18 };
    char path[64], other[64];
    struct stat about;
    uint32_t *words = malloc(WORDS * 4);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    MUST(file >= 0);
    fill(words, WORDS, 7);
    MUST(transfer(put, file, words, WORDS * 4));
    MUST(fstat(file, &about) == 0 && about.st_size == WORDS * 4);
    memset(words, 0, WORDS * 4);
    for (int block = 255; block >= 0; block--) MUST(pread(file, words + block * 1024, PAGE, (off_t)block * PAGE) == PAGE);
    fold(mix(words, WORDS));
    uint32_t *mapped = mmap(NULL, WORDS * 4, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    MUST(mapped != MAP_FAILED);
    for (int i = 0; i < WORDS; i += 101) mapped[i] += (uint32_t)i;
    MUST(munmap(mapped, WORDS * 4) == 0);
    MUST(pread(file, words, WORDS * 4, 0) == WORDS * 4);
    fold(mix(words, WORDS));
    MUST(ftruncate(file, 5 * PAGE + 3) == 0 && fstat(file, &about) == 0 && about.st_size == 5 * PAGE + 3);
    MUST(rename(path, other) == 0 && stat(path, &about) == -1 && errno == ENOENT && stat(other, &about) == 0);
    fold((uint64_t)about.st_size);
    MUST(close(file) == 0 && unlink(other) == 0);
    free(words);
}

// In tmpfs, and in the initial file system.
static void files(void) {
    file_in("/tmp");
    file_in("");
}

// Pages that come into being when they are touched, and those that a child writes to: the parent's stay what they were.
static void memory(void) {
    enum { PAGES = 4096 };
    uint32_t *words = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *shared, state = 3, zeros = 0;
    MUST(words != MAP_FAILED);
    for (int i = 0; i < 4 * PAGES; i++) words[next(&state) % (PAGES * PAGE / 4)] += next(&state);
    for (int i = 0; i < PAGES * PAGE / 4; i++) zeros += words[i] == 0;
    fold(zeros);
    uint64_t before = mix(words, PAGES * PAGE / 4);
    fold(before);
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < PAGES; i += 2) words[i * (PAGE / 4)] = (uint32_t)i;
        shared[0] = (uint32_t)mix(words, PAGES * PAGE / 4);
        _exit(9);
    }
    MUST(status_of(child) == 9);
    MUST(mix(words, PAGES * PAGE / 4) == before);
    fold(shared[0]);
    MUST(munmap(words, PAGES * PAGE) == 0 && munmap(shared, PAGE) == 0);
}

static sigjmp_buf back;
static volatile uintptr_t fault;
static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    fault = (uintptr_t)info->si_addr;
    siglongjmp(back, signal * 256 + info->si_code);
}

// Accesses that may not be: what the signal says of each.
static void faults(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(page != MAP_FAILED);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    for (volatile int round = 0; round < 200; round++) {
        volatile char *at = page + PAGE - 2 + round % 4;
        MUST(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0 && mprotect(page + PAGE, PAGE, PROT_READ) == 0);
        fault = 0;
        int code = sigsetjmp(back, 1);
        if (code == 0) *at = (char)round;
        if (round % 4 < 2) MUST(code == 0 && *at == (char)round);
        else MUST(code == SIGSEGV * 256 + SEGV_ACCERR && fault == (uintptr_t)at);
        fold((uint64_t)code);
        MUST(mprotect(page, PAGE, PROT_NONE) == 0);
        code = sigsetjmp(back, 1);
        if (code == 0) fold((uint64_t)page[round]);
        MUST(code == SIGSEGV * 256 + SEGV_ACCERR && fault == (uintptr_t)page + (uintptr_t)round);
    }
    MUST(munmap(page, 2 * PAGE) == 0);
    int code = sigsetjmp(back, 1);
    if (code == 0) fold((uint64_t)*(volatile char *)page);
    MUST(code == SIGSEGV * 256 + SEGV_MAPERR && fault == (uintptr_t)page);
    code = sigsetjmp(back, 1);
    if (code == 0) __asm__ volatile(".word 0");
    MUST(code / 256 == SIGILL);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGILL, SIG_DFL);
}

// Code that is written while the program runs.
static void code(void) {
    uint32_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(page != MAP_FAILED);
    for (uint32_t value = 0; value < 300; value++) {
        page[0] = value << 20 | 0x00050513;      // addi a0, a0, VALUE
        page[1] = 0x00008067;                    // ret
        __builtin___clear_cache((char *)page, (char *)(page + 2));
        fold((uint64_t)((int (*)(int))page)(1000));
    }
    MUST(munmap(page, PAGE) == 0);
}

// What rounds and divides: the same work in each process, with its own numbers.
static double work(int number) {
    double value = number + 0.5, other = 1.0 / 3;
    for (int i = 1; i < 200000; i++) {
        value = value * 1.0000001 + other / i - sqrt(value) * 1e-9;
        other = fma(other, 0.9999999, 1e-7);
        if (i % 5000 == 0) sched_yield();
    }
    return value;
}

static uint64_t bits(double value) {
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

static volatile sig_atomic_t alarms;
static void on_alarm(int signal) {
    // Floating-point registers of its own.
    volatile double value = signal;
    for (int i = 0; i < 20; i++) value = value / 3 + alarms;
    alarms++;
}

// Floating-point state of processes that take turns, under a timer's signals.
static void floating(void) {
    enum { CHILDREN = 4 };
    int ends[2];
    MUST(pipe(ends) == 0);
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    pid_t children[CHILDREN];
    for (int number = 0; number < CHILDREN; number++) {
        children[number] = fork();
        if (children[number] != 0) continue;
        setitimer(ITIMER_REAL, &often, NULL);
        uint64_t pair[2] = {(uint64_t)number, bits(work(number))};
        setitimer(ITIMER_REAL, &never, NULL);
        _exit(write(ends[1], pair, sizeof pair) == sizeof pair ? 0 : 1);
    }
    setitimer(ITIMER_REAL, &often, NULL);
    uint64_t results[CHILDREN] = {0}, pair[2], own = bits(work(CHILDREN));
    for (int number = 0; number < CHILDREN; number++) {
        MUST(transfer(read, ends[0], pair, sizeof pair));
        results[pair[0] % CHILDREN] = pair[1];
    }
    setitimer(ITIMER_REAL, &never, NULL);
    for (int number = 0; number < CHILDREN; number++) {
        MUST(status_of(children[number]) == 0);
        fold(results[number]);
        MUST(results[number] == bits(work(number)));
    }
    fold(own);
    MUST(alarms > 0);
    close(ends[0]);
    close(ends[1]);
}

enum { THREADS = 6, STEPS = 100000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static _Atomic uint32_t atomic_count, tickets[THREADS];
static unsigned locked_count, turn;

static void *thread(void *argument) {
    unsigned number = (unsigned)(uintptr_t)argument;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < STEPS; i++) {
        atomic_fetch_add(&atomic_count, number + 1);
        uint32_t old = atomic_load(&tickets[number]);
        while (!atomic_compare_exchange_weak(&tickets[number], &old, old * 5 + 1)) {}
        if (i % 8 == 0) {
            pthread_mutex_lock(&mutex);
            locked_count += number + 1;
            pthread_mutex_unlock(&mutex);
        }
    }
    // In turns: each one wakes the next.
    for (unsigned round = 0; round < 100; round++) {
        pthread_mutex_lock(&mutex);
        while (turn != round * THREADS + number) pthread_cond_wait(&condition, &mutex);
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return (void *)(uintptr_t)(number * 3 + 1);
}

// Threads that count together and wait for each other.
static void threads(void) {
    pthread_t all[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (uintptr_t number = 0; number < THREADS; number++) MUST(pthread_create(&all[number], NULL, thread, (void *)number) == 0);
    for (unsigned number = 0; number < THREADS; number++) {
        void *result = NULL;
        MUST(pthread_join(all[number], &result) == 0 && (uintptr_t)result == number * 3 + 1);
        fold(tickets[number]);
    }
    MUST(atomic_count == STEPS * (THREADS * (THREADS + 1) / 2) && locked_count == atomic_count / 8 && turn == 100 * THREADS);
    fold(atomic_count);
}

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Clocks that go on, also from hart to hart, and sleep that is long enough.
static void clocks(void) {
    uint64_t last = nanoseconds(CLOCK_MONOTONIC), now;
    struct timespec nap = {0, 5000000};
    for (int i = 0; i < 2000; i++, last = now) {
        if (i % 100 == 0) sched_yield();
        MUST((now = nanoseconds(CLOCK_MONOTONIC)) >= last);
    }
    for (int i = 0; i < 5; i++) {
        last = nanoseconds(CLOCK_MONOTONIC);
        MUST(nanosleep(&nap, NULL) == 0 && nanoseconds(CLOCK_MONOTONIC) - last >= 5000000);
    }
    MUST(poll(NULL, 0, 3) == 0);
    // The kernel sets its clock by the board's.
    MUST(time(NULL) > 1700000000);
}

// Many short lives, some of them of another program: this one with an argument.
static void lives(void) {
    for (int number = 0; number < 200; number++) {
        pid_t child = fork();
        if (child == 0) {
            char text[16];
            snprintf(text, sizeof text, "%d", number);
            if (number % 3 == 0) execl("/init", "init", text, (char *)NULL);
            _exit(number);
        }
        int status = status_of(child);
        MUST(status == (number % 3 == 0 ? (number + 100) % 256 : number));
        fold((uint64_t)status);
    }
    // One ends by a signal, as its parent wants it.
    pid_t child = fork();
    if (child == 0) for (;;) pause();
    int status = 0;
    MUST(kill(child, SIGTERM) == 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

// All parts, in a process of their own: of the first one's faults the kernel says more than it should.
static int parts(void) {
    static const struct { const char *name; void (*run)(void); } all[] = {
        {"names", names}, {"pipes", pipes}, {"files", files}, {"memory", memory}, {"faults", faults}, {"code", code},
        {"floating", floating}, {"threads", threads}, {"clocks", clocks}, {"lives", lives},
    };
    for (size_t part = 0; part < sizeof all / sizeof *all; part++) {
        all[part].run();
        printf("%s: %016llx\n", all[part].name, (unsigned long long)sum);
    }
    if (failures == 0) printf("sum %016llx\n", (unsigned long long)sum);
    return failures != 0;
}

int main(int count, char **arguments) {
    if (getpid() != 1) return count > 1 ? atoi(arguments[1]) + 100 : 1;
    mkdir("/tmp", 0700);
    mkdir("/proc", 0700);
    mkdir("/dev", 0700);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    int console = open("/dev/console", O_RDWR);
    for (int file = 0; file < 3; file++) dup2(console, file);
    setvbuf(stdout, NULL, _IOLBF, 0);
    MUST(console >= 0 && mount("proc", "/proc", "proc", 0, NULL) == 0 && mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0);
    pid_t child = fork();
    if (child == 0) _exit(parts());
    if (status_of(child) != 0) printf("FAILED\n");
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}
