// Bad pointers and values given to the kernel: an errno comes back, the program goes on.
// guests: riscv32
#define _GNU_SOURCE
#include "calls.h"
#include "errors.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void *volatile bad[3] = {(void *)8, (void *)-4096L, NULL};
static int pipes[2];
#define TRY(...) do { \
        for (int i = 0; i < 3; i++) { void *p = bad[i]; (void)p; errno = 0; long r = syscall(__VA_ARGS__); printf("%s%ld:%s", i ? ", " : "", r, r < 0 ? error_name(errno) : "ok"); } \
        printf("  %s\n", #__VA_ARGS__); \
    } while (0)

int main(void) {
    char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(edge + 4096, 4096);
    bad[2] = edge + 4096;
    if (pipe(pipes)) return 1;
    if (write(pipes[1], "data", 4) != 4) return 1;
    TRY(SYS_write, pipes[1], p, 16);
    TRY(SYS_read, pipes[0], p, 4);
    TRY(SYS_openat, AT_FDCWD, p, O_RDONLY);
#ifdef SYS_fstat  // ABIs of 32 bits have statx alone
    TRY(SYS_newfstatat, AT_FDCWD, "/", p, 0);
    TRY(SYS_fstat, 0, p);
#endif
    TRY(SYS_getcwd, p, 4096);
    TRY(SYS_uname, p);
    TRY(SYS_clock_gettime, CLOCK_MONOTONIC, p);
    TRY(SYS_nanosleep, p, NULL);  // not of 32-bit ABIs: its times have 32 bits
    TRY(SYS_pipe2, p, 0);
    TRY(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", p, 100);
    TRY(SYS_rt_sigaction, SIGUSR1, p, NULL, 8);
    TRY(SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8);
    TRY(SYS_writev, pipes[1], p, 2);
    TRY(SYS_getdents64, 0, p, 100);
    TRY(SYS_ppoll, p, 1, NULL, NULL, 8);
    TRY(SYS_execve, p, NULL, NULL);
    TRY(SYS_getrandom, p, 16, 0);
    TRY(SYS_sysinfo, p);
    TRY(SYS_prlimit64, 0, 7, NULL, p);
    struct iovec v[2] = {{"ok", 2}, {bad[2], 5}};
    long r = writev(pipes[1], v, 2);
    printf("vector with a bad part %d\n", r == 2 || (r < 0 && errno == EFAULT));
    memcpy(edge + 4096 - 4, "/tmp", 4);
    r = open(edge + 4096 - 4, O_RDONLY);
    printf("unterminated path %ld %s\n", r, error_name(errno));
    r = write(pipes[1], edge + 4090, 6);
    printf("up to the edge %ld\n", r);
    r = syscall(SYS_write, 99, "x", 1);
    printf("descriptor %ld %s\n", r, error_name(errno));
    r = syscall(5000);
    printf("number %ld %s\n", r, error_name(errno));
    r = syscall(-1L);
    printf("number %ld %s\n", r, error_name(errno));
    r = syscall(SYS_rt_sigaction, 99, NULL, NULL, 8);
    printf("signal %ld %s\n", r, error_name(errno));
    r = syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 3);
    printf("set size %ld %s\n", r, error_name(errno));
    return 0;
}
