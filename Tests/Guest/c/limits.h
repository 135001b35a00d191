// What the programs under resource limits share.
#pragma once
#include <stdio.h>
#include <sys/wait.h>

/// Prints whether something went as it should.
static inline void show(const char *name, int isRight) {
    printf("%s: %s\n", name, isRight ? "right" : "WRONG");
    fflush(stdout);
}

/// The start of a thread that only ends.
static inline void *nothing(void *argument) { return argument; }

/// Waits for a child: its exit status, or 1000 and the signal that ended it.
static inline int ended(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
