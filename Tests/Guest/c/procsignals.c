// /proc tells of the guest's threads and signals, whatever Martlet has besides: /proc/self/status, stat and task, of the process and of
// one of its threads; after code has become hot too.
// oracle: none. qemu-user shows its own; the native kernel says this.
// guests: riscv32
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static char content[16384];

static const char *contents(const char *path) {
    int fd = open(path, O_RDONLY);
    ssize_t size = read(fd, content, sizeof content - 1);
    close(fd);
    content[size < 0 ? 0 : size] = 0;
    return content;
}

static unsigned long field(const char *path, const char *name, int base) {
    const char *line = strstr(contents(path), name);
    return line ? strtoul(line + strlen(name), NULL, base) : 99999;
}

static unsigned long number(const char *path, int wanted) {
    char *save, *word = strtok_r(strrchr((char *)contents(path), ')') + 2, " ", &save);
    for (int i = 3; word && i < wanted; i++) word = strtok_r(NULL, " ", &save);
    return word ? strtoul(word, NULL, 10) : 99999;
}

static int entries(const char *path) {
    DIR *folder = opendir(path);
    int count = -2;
    while (readdir(folder)) count++;
    closedir(folder);
    return count;
}

static void handler(int signal) { (void)signal; }

static volatile int tid, stop;

static void *thread(void *argument) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_kill(pthread_self(), SIGSEGV);
    tid = syscall(SYS_gettid);
    while (!stop) usleep(500);
    return argument;
}

static volatile unsigned sum;
static void spin(void) {
    for (unsigned i = 0; i < 3000000; i++) sum = sum * 31 + (i ^ (i >> 3));
}

int main(void) {
    spin();
    printf("threads %lu, %lu, %d\n", field("/proc/self/status", "Threads:\t", 10), number("/proc/self/stat", 20), entries("/proc/self/task"));
    spin();
    char folder[40];
    snprintf(folder, sizeof folder, "/proc/%d/task", getpid());
    printf("threads %d\n", entries(folder));

    signal(SIGUSR1, handler);
    signal(SIGSEGV, handler);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGBUS, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGSEGV);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGHUP);
    kill(getpid(), SIGSEGV);
    unsigned long ignored = 1UL << (SIGUSR2 - 1) | 1UL << (SIGBUS - 1);
    printf("caught %lx, ignored %d, blocked %lx, pending %lx, of the process %lx\n", field("/proc/self/status", "SigCgt:\t", 16),
           (field("/proc/self/status", "SigIgn:\t", 16) & ignored) == ignored, field("/proc/self/status", "SigBlk:\t", 16),
           field("/proc/self/status", "SigPnd:\t", 16), field("/proc/self/status", "ShdPnd:\t", 16));
    printf("stat: caught %lx, blocked %lx\n", number("/proc/self/stat", 34), number("/proc/self/stat", 32));

    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    while (!tid) usleep(200);
    char path[80];
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", getpid(), tid);
    printf("thread: blocked %lx, pending %lx, threads %lu\n", field(path, "SigBlk:\t", 16), field(path, "SigPnd:\t", 16),
           field(path, "Threads:\t", 10));
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    printf("thread: blocked %lx, threads %lu, %d\n", number(path, 32), number(path, 20), entries("/proc/self/task"));
    stop = 1;
    pthread_join(other, NULL);

    sigaddset(&set, SIGTERM);
    int fd = signalfd(-1, &set, 0);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    printf("signalfd: %lx\n", field(path, "sigmask:\t", 16));
    return 0;
}
