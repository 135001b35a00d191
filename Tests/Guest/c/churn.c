// oracle: none. What is counted besides is the emulator's own (LeakTests.swift).
// Makes things and lets go of them: threads, children, mappings of a file, functions at ever new addresses. With arguments "KIND ROUNDS"
// it stops itself before and after the rounds, so that somebody may look how large the process is.
// guests: riscv32
#define _GNU_SOURCE
#include "code.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int wrong;

static void *nothing(void *argument) { return argument; }

static void threads(int round) {
    pthread_t thread;
    void *result = 0;
    if (pthread_create(&thread, 0, nothing, &wrong) || pthread_join(thread, &result) || result != &wrong) wrong++;
    (void)round;
}

static void forks(int round) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) _exit(round & 63);
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != (round & 63)) wrong++;
}

static void vforks(int round) {
    int status = 0;
    pid_t child = vfork();
    if (child == 0) _exit(round & 63);
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != (round & 63)) wrong++;
}

/// Every fourth child executes a program.
static void *spawns(void *argument) {
    int status = 0, executes = (long)argument % 4 == 0;
    pid_t child = vfork();
    if (child == 0) {
        if (executes) execl("/bin/true", "true", (char *)0);
        _exit(9);
    }
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != (executes ? 0 : 9)) wrong++;
    return argument;
}

static void parents(int round) {
    pthread_t thread;
    if (pthread_create(&thread, 0, spawns, (void *)(long)round) || pthread_join(thread, 0)) wrong++;
}

static void files(int round) {
    int fd = open("/proc/self/exe", O_RDONLY);
    char *text = mmap(0, 16384, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    char *data = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    if (text == MAP_FAILED || data == MAP_FAILED || text[1] != 'E' || data[2] != 'L') wrong++;
    data[round & 4095] = 1;
    munmap(text, 16384);
    munmap(data, 16384);
}

static void functions(int round) {
    static char *next = (char *)0x2000000000;
    char *page = mmap(next, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    next += 8192;
    emit(page, addi_a0(round & 1023), RET);
    flush(page, 8);
    if (((Function)page)(1000) != 1000 + (round & 1023)) wrong++;
    munmap(page, 4096);
}

static const struct {
    const char *name;
    void (*round)(int);
} kinds[] = {{"threads", threads}, {"forks", forks}, {"vforks", vforks},
             {"parents", parents}, {"files", files}, {"functions", functions}};

int main(int count, char **arguments) {
    for (unsigned kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        if (count == 1) {
            for (int round = 0; round < 20; round++) kinds[kind].round(round);
        } else if (!strcmp(arguments[1], kinds[kind].name)) {
            int rounds = atoi(arguments[2]);
            // What is made once is made now.
            for (int round = 0; round < rounds / 10 + 100; round++) kinds[kind].round(round);
            raise(SIGSTOP);
            for (int round = 0; round < rounds; round++) kinds[kind].round(round);
            raise(SIGSTOP);
        }
    }
    printf("%d wrong\n", wrong);
    return 0;
}
