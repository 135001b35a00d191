// Executes itself, as a child with memory of its own and as one that shares it, with arguments and environment; with a folder as its
// argument, after it has made that its root; with two words it shows its own name and the second one. StartTests.swift runs it where
// little is there.
// oracle: none. qemu-user leaves it to the host kernel.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *arguments[] = {"executions", "a word", "", "\xff", NULL};
static char *environment[] = {"NAME=value", NULL};

static void told(const char *what, pid_t child) {
    int status;
    waitpid(child, &status, 0);
    printf("%s: %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    fflush(stdout);
}

int main(int count, char **words) {
    if (count == 4) {
        const char *name = getenv("NAME");
        int isRight = !strcmp(words[1], "a word") && !strcmp(words[2], "") && !strcmp(words[3], "\xff") && name && !strcmp(name, "value");
        return isRight ? 23 : 1;
    }
    if (count == 3) {
        printf("%s %s\n", words[0], words[2]);
        return 0;
    }
    const char *volatile self = words[0];
    if (count == 2) {
        if (chroot(words[1]) != 0 || chdir("/") != 0) {
            perror(words[1]);
            return 1;
        }
        self = "/executions";
    }
    pid_t child = fork();
    if (child == 0) {
        execve(self, arguments, environment);
        _exit(errno);
    }
    told("fork", child);
    child = vfork();
    if (child == 0) {
        execve(self, arguments, environment);
        _exit(errno);
    }
    told("vfork", child);
    child = fork();
    if (child == 0) {
        execve("/nowhere", arguments, environment);
        _exit(errno == ENOENT ? 24 : 1);
    }
    told("not there", child);
    return 0;
}
