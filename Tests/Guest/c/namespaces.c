// Namespaces that only a process with one thread may enter, asked for by one whose code is hot.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile unsigned sum;

__attribute__((noinline)) static void spin(unsigned n) {
    for (unsigned i = 0; i < n; i++) sum = sum * 31 + (i ^ (i >> 3));
}

// Where user namespaces are not allowed the kernel says so with another error.
static int isRefusedAsThreaded(void) { return unshare(CLONE_NEWUSER) != 0 && errno == EINVAL; }

int main(void) {
    for (int round = 0; round < 3; round++) {
        spin(400000);
        pid_t child = fork();
        if (child == 0) {
            spin(400000);
            _exit(isRefusedAsThreaded());
        }
        int status = 0;
        waitpid(child, &status, 0);
        printf("child: refused as threaded: %d\n", WEXITSTATUS(status));
    }
    printf("parent: refused as threaded: %d\n", isRefusedAsThreaded());
    spin(400000);
    printf("invalid: %d\n", unshare(0x1) == -1 && errno == EINVAL);
    printf("setns: %d\n", setns(-1, 0) == -1 && errno == EBADF);
    return 0;
}
