// oracle: none. How much there is depends on the limits that it is run under (LimitTests.swift).
// args: none
// Takes memory, threads or children until there are no more, and goes on.
// guests: riscv32
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MiB = 1 << 20, MOST = 600 };

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *waits(void *argument) {
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return argument;
}

/// A child that ends well.
static int forks(void) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) _exit(malloc(100) ? 4 : 5);
    return waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 4;
}

static int memory(void) {
    static void *blocks[8000];
    int count = 0;
    while (count < 8000 && (blocks[count] = malloc(MiB))) memset(blocks[count++], 1, 4096);
    int isRight = (count == 8000 || errno == ENOMEM) && forks();
    // More of the translator's own work, while there is nothing left.
    volatile double sum = 0;
    for (int i = 1; i < 3000000; i++) sum = sum + 1.0 / i;
    while (count > 0) free(blocks[--count]);
    return isRight && sum > 15 && sum < 16 && forks();
}

static int threads(void) {
    static pthread_t all[MOST];
    int count = 0, error = 0;
    pthread_mutex_lock(&gate);
    while (count < MOST && !(error = pthread_create(&all[count], 0, waits, 0))) count++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < count; i++) pthread_join(all[i], 0);
    return count > 10 && (count == MOST || error == EAGAIN) && forks();
}

static int children(void) {
    static pid_t all[MOST / 3];
    int count = 0, ended = 0;
    while (count < MOST / 3 && (all[count] = fork()) > 0) count++;
    if (count < MOST / 3 && all[count] == 0) {
        pause();
        _exit(0);
    }
    for (int i = 0; i < count; i++) kill(all[i], SIGTERM);
    for (int i = 0, status; i < count; i++) ended += waitpid(all[i], &status, 0) > 0 && WTERMSIG(status) == SIGTERM;
    return ended == count && forks();
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        int (*run)(void);
    } kinds[] = {{"memory", memory}, {"threads", threads}, {"children", children}};
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (count > 1 && !strcmp(arguments[1], kinds[i].name)) printf("%s: %s\n", kinds[i].name, kinds[i].run() ? "right" : "WRONG");
    return 0;
}
