// A program is executed, and executes another one, where /proc is not to be seen; what Martlet keeps for that is no descriptor of the
// guest's. Where namespaces are not allowed /proc stays, and the rest is the same.
// oracle: none. qemu-user leaves it to the host kernel.
// guests: riscv32
#define _GNU_SOURCE
#include "calls.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static int descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 1100; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int execute(const char *self, int left) {
    char count[20], rest[20];
    snprintf(count, sizeof count, "%d", descriptors());
    snprintf(rest, sizeof rest, "%d", left);
    fflush(stdout);
    execl(self, "hiddenproc", self, count, rest, NULL);
    printf("execl: errno %d\n", errno);
    return 1;
}

int main(int argc, char **argv) {
    if (argc == 4) {
        printf("executed: descriptors %s\n", atoi(argv[2]) == descriptors() ? "as before" : "changed");
        int left = atoi(argv[3]);
        if (left > 0) return execute(argv[1], left - 1);
        // A child that shares memory, and one that does not.
        pid_t child = vfork();
        if (child == 0) {
            execl(argv[1], "hiddenproc", "last", NULL);
            _exit(1);
        }
        int status;
        waitpid(child, &status, 0);
        printf("vfork: %d\n", WEXITSTATUS(status));
        return syscall(SYS_close_range, 3, ~0U, 0) != 0 || execute("/nonexistent", 0) != 1;
    }
    if (argc == 2) return 23;
    char self[4096];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0) return 1;
    self[size] = 0;
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && mount("none", "/proc", "tmpfs", 0, NULL) != 0) perror("mount");
        _exit(execute(self, 1));
    }
    int status;
    waitpid(child, &status, 0);
    printf("status %d\n", WEXITSTATUS(status));
    return 0;
}
