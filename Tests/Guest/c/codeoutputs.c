// System calls write to pages that another thread executes from, and to the caller's own code page. None fails, and none loses what
// it delivers.
// oracle: none. qemu-user fails some of these calls.
// guests: riscv32
#define _GNU_SOURCE
#include "calls.h"
#include "code.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 16, ROUNDS = 4000, ALL = PROT_READ | PROT_WRITE | PROT_EXEC };
static unsigned char *page[PAGES];
static volatile int stop;
static int zero, ends[2], sockets[2];
static const char text[16] = "0123456789abcdef";

static void *runner(void *unused) {
    (void)unused;
    for (unsigned i = 0; !stop; i++) ((Function)page[i % PAGES])(0);
    return 0;
}

static int call(int kind, unsigned char *at) {
    struct iovec parts[2] = {{at, 8}, {at + 64, 8}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    switch (kind) {
    case 0: return syscall(SYS_clock_gettime, CLOCK_REALTIME, at) == 0 && ((int64_t *)at)[0] > 1000000;
    case 1: return read(zero, at, 16) == 16;
    case 2: return syscall(SYS_getcwd, at, 256) > 0;
    case 3: return write(ends[1], text, 16) == 16 && read(ends[0], at, 16) == 16 && !memcmp(at, text, 16);
    case 4: return write(ends[1], text, 16) == 16 && readv(ends[0], parts, 2) == 16 && !memcmp(at + 64, text + 8, 8);
    case 5: return send(sockets[0], text, 16, 0) == 16 && recvmsg(sockets[1], &message, 0) == 16 && !memcmp(at, text, 8);
    case 6: {
        int *word = (int *)at;
        *word = 0;
        return syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, 0, 0, 0) == 0 && *word == (int)syscall(SYS_gettid)
            && syscall(SYS_futex, word, FUTEX_UNLOCK_PI, 0, 0, 0, 0) == 0 && *word == 0;
    }
    default: return syscall(SYS_rt_sigprocmask, 0, 0, at, 8) == 0;
    }
}

// A read system call from within the page that it writes to.
static long own_page(int fd, unsigned char *at, size_t count) {
    static const uint32_t words[] = {0x00000073, RET};      // ecall; ret
    unsigned char *code = page[0];
    memcpy(code + 512, words, sizeof words);
    flush(code + 512, sizeof words);
    register long a0 asm("a0") = fd;
    register long a1 asm("a1") = (long)at;
    register long a2 asm("a2") = (long)count;
    register long a7 asm("a7") = SYS_read;
    asm volatile("jalr ra, 0(%4)" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7), "r"(code + 512) : "ra", "memory");
    return a0;
}

int main(void) {
    for (int i = 0; i < PAGES; i++) {
        page[i] = mmap(NULL, 4096, ALL, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        emit(page[i], RET, RET);
    }
    flush(page[0], 8);
    zero = open("/dev/zero", O_RDONLY);
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets)) return 1;
    pthread_t thread;
    pthread_create(&thread, 0, runner, 0);
    for (int kind = 0; kind < 8; kind++) {
        int failed = 0;
        for (int i = 0; i < ROUNDS; i++) failed += !call(kind, page[i % PAGES] + 2048);
        printf("kind %d: %d failed\n", kind, failed);
    }
    stop = 1;
    pthread_join(thread, 0);

    printf("own page, no file: %ld\n", own_page(-1, page[0], 4096));
    printf("own page and all that follows: %ld\n", own_page(-1, page[0], 1 << 20));
    if (write(ends[1], text, 16) != 16) return 1;
    printf("own page: %ld", own_page(ends[0], page[0] + 1024, 16));
    printf(" %.16s\n", (char *)page[0] + 1024);
    // The bytes up to a hole arrive, as far as the kernel writes them.
    unsigned char *two = mmap(NULL, 8192, ALL, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(two + 4096, 4096);
    if (write(ends[1], text, 16) != 16) return 1;
    printf("hole: %zd %.8s\n", read(ends[0], two + 4096 - 8, 8), (char *)two + 4096 - 8);
    errno = 0;
    printf("nothing: %zd %d\n", read(zero, two + 4096, 8), errno == EFAULT);
    return 0;
}
