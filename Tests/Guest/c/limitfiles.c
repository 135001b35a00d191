// oracle: none. qemu-user's own files are under the limits too.
// With a small RLIMIT_FSIZE, or all descriptors in use, what needs no large file and no descriptor works, and the rest fails as it
// should.
// guests: riscv32
#define _GNU_SOURCE
#include "limits.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/// Things that need neither a file nor a descriptor that stays. (A program that is executed needs one for its libraries, or the
/// emulator's: `spare` is closed for it.)
static void works(const char *when, char *self, int spare) {
    pthread_t thread;
    printf("%s\n", when);
    pid_t child = fork();
    if (child == 0) _exit(fork() == 0 ? 0 : 3);
    show("fork", ended(child) == 3);
    child = vfork();
    if (child == 0) _exit(4);
    show("vfork", ended(child) == 4);
    show("thread", pthread_create(&thread, 0, nothing, 0) == 0 && pthread_join(thread, 0) == 0);
    child = fork();
    if (child == 0) {
        close(spare);
        execl(self, self, "5", (char *)0);
        _exit(99);
    }
    show("exec", ended(child) == 5);
    child = vfork();
    if (child == 0) {
        close(spare);
        execl("/proc/self/exe", self, "6", (char *)0);
        _exit(99);
    }
    show("vfork and exec", ended(child) == 6);
}

static void sizes(char *self) {
    struct rlimit limit = {4096, 4096};
    char bytes[8192] = {0};
    show("limit of sizes", setrlimit(RLIMIT_FSIZE, &limit) == 0);
    works("with small files", self, -1);
    FILE *maps = fopen("/proc/self/maps", "r");
    show("maps", maps && fgets(bytes, sizeof bytes, maps));
    if (maps) fclose(maps);
    char name[] = "/tmp/limitfilesXXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    show("written as far as possible", write(fd, bytes, sizeof bytes) == 4096);
    pid_t child = fork();
    if (child == 0) _exit(write(fd, bytes, 1) == 1);
    show("killed", ended(child) == 1000 + SIGXFSZ);
    signal(SIGXFSZ, SIG_IGN);
    show("ignored", write(fd, bytes, 1) == -1 && errno == EFBIG);
    works("ignoring the signal", self, -1);
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_FSIZE, &limit);
    works("with empty files", self, -1);
    close(fd);
}

static void descriptors(char *self) {
    struct rlimit limit = {40, 50}, now;
    struct stat before, after;
    char name[4096];
    int ends[2];
    stat(self, &before);
    show("limit of descriptors", setrlimit(RLIMIT_NOFILE, &limit) == 0);
    show("read back", getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 40 && now.rlim_max == 50);
    int last = 0, fd;
    while ((fd = dup(0)) >= 0) last = fd;
    show("all in use", errno == EMFILE && last == 39);
    works("without descriptors", self, 39);
    show("stat", stat(self, &after) == 0 && before.st_ino == after.st_ino && before.st_dev == after.st_dev);
    show("access", access(self, X_OK) == 0 && access("/etc/passwd", R_OK) == 0);
    show("readlink", readlink("/proc/self/exe", name, sizeof name) > 0);
    show("open", open("/etc/passwd", O_RDONLY) == -1 && errno == EMFILE);
    show("open of /proc", open("/proc/self/maps", O_RDONLY) == -1 && errno == EMFILE);
    show("pipe", pipe(ends) == -1 && errno == EMFILE);
    show("dup2", dup2(0, 40) == -1 && errno == EBADF);
    show("one more", (limit.rlim_cur = 41, setrlimit(RLIMIT_NOFILE, &limit)) == 0 && dup(0) == 40 && dup(0) == -1);
    // (To the superuser hard limits are none.)
    limit.rlim_cur = limit.rlim_max = 45;
    show("all of the hard limit", setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (dup(0) >= 0) {}
    works("again", self, 39);
}

/// The size of a file, found out without descriptors (LimitTests.swift).
static int look(const char *path) {
    struct rlimit limit = {20, 20};
    struct stat status;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (dup(0) >= 0) {}
    printf("%d\n", stat(path, &status) ? -errno : (int)status.st_size);
    return 0;
}

int main(int count, char **arguments) {
    if (count > 2) return look(arguments[2]);
    if (count > 1) return atoi(arguments[1]);
    void (*const parts[])(char *) = {sizes, descriptors};
    for (int part = 0; part < 2; part++) {
        pid_t child = fork();
        if (child == 0) {
            parts[part](arguments[0]);
            _exit(0);
        }
        show("part", ended(child) == 0);
    }
    return 0;
}
