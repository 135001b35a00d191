// seccomp: what filters decide about calls, who gets them, which programs are refused.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __riscv
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#define ARCHITECTURE AUDIT_ARCH_X86_64
#endif
#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ARGUMENT(n, half) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]) + 4 * half)
#define RET(what) BPF_STMT(BPF_RET | BPF_K, what)
#define IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)

static long install(struct sock_filter *program, int count, unsigned flags) {
    struct sock_fprog filter = {count, program};
    errno = 0;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}
// A filter that answers one call with `answer`, and allows the others.
static long answer(long number, unsigned answer, unsigned flags) {
    struct sock_filter program[] = {NUMBER, IF(number, 0, 1), RET(answer), RET(SECCOMP_RET_ALLOW)};
    return install(program, 4, flags);
}
static const char *outcome(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

// Runs `body` in a child and says how it ended.
static void in(const char *what, void (*body)(void)) {
    printf("%s:\n", what);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        alarm(20);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        body();
        fflush(stdout);
        _exit(7);
    }
    int status;
    waitpid(child, &status, 0);
    printf("  %s %d\n", WIFEXITED(status) ? "ends with" : "is ended by", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void actions(void) {
    unsigned all[] = {0x80000000, 0, 0x30000, 0x50000, 0x7ff00000, 0x7ffc0000, 0x7fff0000, 0x10000, 0x7fff0001, 1};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        printf("  %x %s\n", all[i], outcome(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &all[i])));
    printf("  %s", outcome(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, all)));
    printf(" %s", outcome(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 8)));
    printf(" %s", outcome(syscall(SYS_seccomp, 99, 0, 0)));
    printf(" %s", outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, 0)));
    printf(" %s\n", outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8)));
}

static void refused(void) {
    struct { int count; struct sock_filter program[4]; } bad[] = {
        {0, {RET(0)}},
        {1, {NUMBER}},                                                                     // does not end with a return
        {2, {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(0)}},                             // past the data
        {2, {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(0)}},                              // not aligned
        {2, {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RET(0)}},                              // of bytes
        {2, {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(0)}},
        {2, {BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RET(0)}},
        {2, {BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RET(0)}},
        {2, {BPF_STMT(BPF_JMP | BPF_JA, 1), RET(0)}},                                      // jumps past the end
        {2, {BPF_STMT(BPF_JMP | BPF_JA, -1), RET(0)}},
        {2, {IF(0, 0, 1), RET(0)}},
        {2, {BPF_STMT(BPF_ST, 16), RET(0)}},
        {2, {BPF_STMT(BPF_LD | BPF_MEM, 0), RET(0)}},                                      // never stored
        {4, {IF(0, 0, 1), BPF_STMT(BPF_ST, 1), BPF_STMT(BPF_LD | BPF_MEM, 1), RET(0)}},    // not stored on one way
        {2, {BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), RET(0)}},
        {2, {BPF_STMT(0xffff, 0), RET(0)}},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) printf("  %s", outcome(install(bad[i].program, bad[i].count, 0)));
    struct sock_filter allow = RET(SECCOMP_RET_ALLOW);
    printf("\n  %s", outcome(install(&allow, 4097, 0)));
    printf(" %s", outcome(install((void *)8, 1, 0)));
    printf(" %s", outcome(install(&allow, 1, 0x80)));
    struct sock_fprog filter = {1, &allow};
    printf(" %s", outcome(prctl(PR_SET_SECCOMP, 3, &filter)));
    printf(" %s\n", outcome(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)));
    printf("  mode %d\n", prctl(PR_GET_SECCOMP));
}

static volatile int caught;
static void *callAddress;
static void trapped(int signal, siginfo_t *info, void *context) {
    caught = signal == SIGSYS && info->si_code == 1 && info->si_errno == 77 && info->si_syscall == SYS_getppid && info->si_arch == ARCHITECTURE;
    callAddress = info->si_call_addr;
}

static void decisions(void) {
    printf("  %s\n", outcome(answer(SYS_getppid, SECCOMP_RET_ERRNO | 42, 0)));
    long result = syscall(SYS_getppid);
    printf("  getppid %ld %d, getpid %d\n", result, errno, syscall(SYS_getpid) > 0);
    answer(SYS_getppid, SECCOMP_RET_ERRNO | 43, 0);
    syscall(SYS_getppid);
    printf("  the newest of equal ones: %d\n", errno);
    answer(SYS_getppid, SECCOMP_RET_ALLOW, 0);
    syscall(SYS_getppid);
    printf("  a laxer one: %d\n", errno);
    answer(SYS_getuid, SECCOMP_RET_ERRNO | 0, 0);
    printf("  no error: %ld\n", syscall(SYS_getuid));
    answer(SYS_geteuid, SECCOMP_RET_ERRNO | 0xffff, 0);
    printf("  a large one: %ld\n", syscall(SYS_geteuid));
    answer(SYS_getgid, SECCOMP_RET_TRACE, 0);
    printf("  nobody traces: %s\n", outcome(syscall(SYS_getgid)));
    answer(SYS_getegid, SECCOMP_RET_LOG, 0);
    printf("  logged: %s\n", outcome(syscall(SYS_getegid)));
    printf("  mode %d\n", prctl(PR_GET_SECCOMP));
    char line[100];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "Seccomp", 7)) printf("  %s", line);
}

static void traps(void) {
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, 0);
    answer(SYS_getppid, SECCOMP_RET_TRAP | 77, 0);
    syscall(SYS_getppid);
    printf("  caught %d, address %d\n", caught, callAddress != 0);
    signal(SIGSYS, SIG_IGN);
    fflush(stdout);
    syscall(SYS_getppid);
}

static void arguments(void) {
    // getpriority(which, who): 42 where `who` has a low half of 5 and a high half of 6.
    struct sock_filter program[] = {
        NUMBER, IF(SYS_getpriority, 0, 5), ARGUMENT(1, 0), IF(5, 0, 3), ARGUMENT(1, 1), IF(6, 0, 1), RET(SECCOMP_RET_ERRNO | 42), RET(SECCOMP_RET_ALLOW),
    };
    printf("  %s\n", outcome(install(program, 8, 0)));
    errno = 0;
    syscall(SYS_getpriority, 0, 0x600000005);
    printf("  %d", errno);
    syscall(SYS_getpriority, 0, 0x700000005);
    printf(" %d", errno != 42);
    // The error is what arithmetic makes of `who`, where `which` is 99.
    struct sock_filter arithmetic[] = {
        ARGUMENT(0, 0), IF(99, 1, 0), RET(SECCOMP_RET_ALLOW), ARGUMENT(1, 0), BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 7), BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
        BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_MEM, 3), BPF_STMT(BPF_ALU | BPF_NEG, 0), BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_STX, 15), BPF_STMT(BPF_LD | BPF_MEM, 15), BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 0x55), BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 3),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2), BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 3), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff),
        BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 100, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 2, 0, 1), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1000), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    printf(" %s\n ", outcome(install(arithmetic, sizeof arithmetic / sizeof *arithmetic, 0)));
    for (int who = 0; who < 400; who += 17) {
        syscall(SYS_getpriority, 99, who);
        printf(" %d", errno);
    }
    printf("\n");
}

static void dividing(void) {
    struct sock_filter program[] = {
        NUMBER, IF(SYS_getppid, 0, 3), BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), BPF_STMT(BPF_RET | BPF_A, 0), RET(SECCOMP_RET_ALLOW),
    };
    printf("  %s\n", outcome(install(program, 6, 0)));
    fflush(stdout);
    syscall(SYS_getppid);
}

static void strict(void) {
    printf("  %s\n", outcome(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)));
    fflush(stdout);
    if (write(1, "  writes\n", 9) != 9) syscall(SYS_exit, 1);
    syscall(SYS_getpid);
    syscall(SYS_exit, 3);
}

static void killed(void) {
    answer(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0);
    syscall(SYS_getppid);
}

static pthread_barrier_t barrier;
static void *calls(void *argument) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    errno = 0;
    syscall(SYS_getppid);
    return (void *)(long)errno;
}
static volatile pid_t dying;
static void *dies(void *argument) {
    dying = syscall(SYS_gettid);
    answer(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
    syscall(SYS_getppid);
    caught = 9;
    return 0;
}
static void threads(void) {
    pthread_barrier_init(&barrier, 0, 2);
    pthread_t thread;
    void *result;
    for (int flags = 0; flags < 2; flags++) {
        pthread_create(&thread, 0, calls, 0);
        pthread_barrier_wait(&barrier);
        printf("  %s\n", outcome(answer(SYS_getppid, SECCOMP_RET_ERRNO | (50 + flags), flags)));  // SECCOMP_FILTER_FLAG_TSYNC
        pthread_barrier_wait(&barrier);
        pthread_join(thread, &result);
        printf("  a running thread gets %ld\n", (long)result);
    }
    pthread_create(&thread, 0, calls, 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, &result);
    printf("  a new one gets %ld\n", (long)result);
}
static void threadsEnd(void) {
    pthread_t thread;
    pthread_create(&thread, 0, dies, 0);
    int waits = 0;
    while (!dying || (syscall(SYS_tgkill, getpid(), dying, 0) == 0 && waits++ < 5000)) usleep(1000);
    printf("  it is gone %d, the others go on %d\n", waits < 5000, caught != 9);
}

static void children(void) {
    answer(SYS_getppid, SECCOMP_RET_ERRNO | 42, 0);
    int status;
    if (!fork()) {
        syscall(SYS_getppid);
        _exit(errno);
    }
    wait(&status);
    printf("  a child gets %d\n", WEXITSTATUS(status));
    if (!vfork()) {
        answer(SYS_getuid, SECCOMP_RET_ERRNO | 41, 0);
        _exit(syscall(SYS_getuid) == -1 ? errno : 0);
    }
    wait(&status);
    printf("  one with a filter of its own gets %d, its parent %d\n", WEXITSTATUS(status), syscall(SYS_getuid) == -1);
    answer(SYS_geteuid, SECCOMP_RET_ERRNO | 40, 0);
    fflush(stdout);
    execl("/proc/self/exe", "filters", "executed", (char *)0);
}

int main(int count, char **values) {
    if (count > 1) {
        syscall(SYS_getppid);
        printf("  a program gets %d", errno);
        syscall(SYS_geteuid);
        printf(" %d, mode %d\n", errno, prctl(PR_GET_SECCOMP));
        return 5;
    }
    in("actions", actions);
    in("refused programs", refused);
    in("decisions", decisions);
    in("traps", traps);
    in("arguments", arguments);
    in("division by zero", dividing);
    in("strict", strict);
    in("a process is killed", killed);
    in("threads", threads);
    in("a thread is killed", threadsEnd);
    in("children", children);
}
