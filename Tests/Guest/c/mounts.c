// Mounts are the host's, whatever tree the program's files are from: the root folder is the host's root. Where namespaces are not
// allowed nothing is mounted.
// link: dynamic
// oracle: none. qemu-user may run where namespaces are not allowed.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) _exit(0);
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) _exit(1);
        if (mount("none", "/tmp", "tmpfs", 0, NULL) != 0) _exit(2);
        // What is mounted is seen by relative names, and unmounted by the same one.
        struct stat before, after;
        if (chdir("/tmp") != 0 || stat(".", &before) != 0 || chdir("/") != 0) _exit(3);
        if (umount2("/tmp", 0) != 0 || chdir("/tmp") != 0 || stat(".", &after) != 0) _exit(4);
        _exit(before.st_dev == after.st_dev ? 5 : 0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("mounts: %d\n", WEXITSTATUS(status));
    return 0;
}
