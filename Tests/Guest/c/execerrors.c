// What execve(2) and execveat(2) refuse, with which error: files that are no programs, lines after #!, pipes, files being written, links,
// descriptors that close on exec; and what they take: many scripts deep, an argument cut off, a program without a name.
// oracle: none. qemu-user leaves scripts to the host kernel; the native kernel says this.
// guests: riscv32
#define _GNU_SOURCE
#include "errors.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char folder[] = "/tmp/martlet-exec-XXXXXX";
static char *arguments[] = {"argument zero", "one", NULL};

static const char *path_of(const char *name) {
    static char paths[4][4200];
    static int next;
    char *path = paths[next++ & 3];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

static const char *make(const char *name, const void *text, size_t size, int mode) {
    const char *path = path_of(name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    if (write(fd, text, size) != (ssize_t)size) perror("write");
    fchmod(fd, mode);
    close(fd);
    return path;
}

// The child's status, or what execve said.
static void tell(const char *what, int directory, const char *path, int flags) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC)) return;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(5);
        syscall(SYS_execveat, directory, path, arguments, environ, flags);
        int error = errno;
        _exit(write(fds[1], &error, 4) != 4);
    }
    close(fds[1]);
    int error = 0, status;
    int size = read(fds[0], &error, 4);
    close(fds[0]);
    waitpid(child, &status, 0);
    if (size == 4) printf("%s: %s\n", what, error_name(error));
    else printf("%s: status %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

static void text(const char *what, const char *line) { tell(what, AT_FDCWD, make("script", line, strlen(line), 0755), 0); }

static void copy_self(int out) {
    int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char block[65536];
    for (ssize_t n; (n = read(in, block, sizeof block)) > 0;)
        if (write(out, block, n) != n) perror("write");
    close(in);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        // Executed: by its own name, or by a script, which adds arguments.
        return argc == 2 && strcmp(argv[0], "argument zero") == 0 ? 40 : 40 + argc;
    }
    if (argc == 1 && argv[0][0] == 0) return 30;
    if (!mkdtemp(folder)) return 1;
    char self[4096];
    self[readlink("/proc/self/exe", self, sizeof self - 1)] = 0;
    char line[5000];

    tell("folder", AT_FDCWD, folder, 0);
    tell("nothing", AT_FDCWD, "/nonexistent", 0);
    tell("empty name", AT_FDCWD, "", 0);
    tell("no right", AT_FDCWD, make("plain", "#!/bin/sh\n", 10, 0644), 0);
    tell("through a file", AT_FDCWD, path_of("plain/x"), 0);
    text("empty", "");
    text("no line", "exit 5\n");
    text("no interpreter", "#!/nonexistent/x\n");
    text("a folder", "#!/tmp\n");
    text("blanks", "#! \t \n");
    text("carriage return", "#!/bin/sh\r\n");
    mkfifo(path_of("pipe"), 0755);
    tell("pipe", AT_FDCWD, path_of("pipe"), 0);
    snprintf(line, sizeof line, "#!%s\n", path_of("pipe"));
    text("pipe as interpreter", line);
    if (symlink("loop", path_of("loop"))) perror("symlink");
    tell("loop", AT_FDCWD, path_of("loop"), 0);
    memset(line, 'x', 4500);
    line[0] = '/', line[4500] = 0;
    tell("long name", AT_FDCWD, line, 0);

    // 256 bytes are read.
    snprintf(line, sizeof line, "#!%s one two\n", self);
    text("one argument", line);
    snprintf(line, sizeof line, "#! \t%s \t\n", self);
    text("blanks around", line);
    snprintf(line, sizeof line, "#!%s %0300d\n", self, 7);
    text("argument cut off", line);
    snprintf(line, sizeof line, "#!/%0300d\n", 7);
    text("interpreter cut off", line);
    snprintf(line, sizeof line, "#!/%0252d\n", 7);
    text("interpreter of 253 bytes", line);
    snprintf(line, sizeof line, "#!/%0252d ", 7);
    text("interpreter of 253 bytes and a blank", line);
    const char *inner = self;
    for (int i = 1; i <= 6; i++) {
        char name[10];
        snprintf(name, sizeof name, "deep%d", i);
        snprintf(line, sizeof line, "#!%s\n", inner);
        inner = make(name, line, strlen(line), 0755);
        char what[20];
        snprintf(what, sizeof what, "%d deep", i);
        if (i > 3) tell(what, AT_FDCWD, inner, 0);
    }

    int out = open(path_of("busy"), O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    copy_self(out);
    tell("being written", AT_FDCWD, path_of("busy"), 0);
    close(out);
    tell("written", AT_FDCWD, path_of("busy"), 0);

    int fd = open(self, O_RDONLY | O_CLOEXEC);
    tell("descriptor", fd, "", AT_EMPTY_PATH);
    tell("descriptor without the flag", fd, "", 0);
    close(fd);
    fd = open(self, O_PATH | O_CLOEXEC);
    tell("path descriptor", fd, "", AT_EMPTY_PATH);
    close(fd);
    fd = open(path_of("busy"), O_RDONLY | O_CLOEXEC);
    unlink(path_of("busy"));
    tell("without a name", fd, "", AT_EMPTY_PATH);
    close(fd);
    fd = memfd_create("program", MFD_CLOEXEC);
    copy_self(fd);
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int again = open(link, O_RDONLY | O_CLOEXEC);
    close(fd);
    tell("memory file", again, "", AT_EMPTY_PATH);
    close(again);
    snprintf(line, sizeof line, "#!%s\n", self);
    fd = open(make("script", line, strlen(line), 0755), O_RDONLY | O_CLOEXEC);
    tell("script that closes", fd, "", AT_EMPTY_PATH);
    fcntl(fd, F_SETFD, 0);
    tell("script that stays", fd, "", AT_EMPTY_PATH);
    close(fd);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tell("in a folder", fd, "deep1", 0);
    tell("a link, not followed", fd, "loop", AT_SYMLINK_NOFOLLOW);
    tell("the folder", fd, "", AT_EMPTY_PATH);
    close(fd);
    tell("bad descriptor", 999, "", AT_EMPTY_PATH);
    tell("bad flags", AT_FDCWD, self, 0x8);

    char *none[] = {NULL};
    pid_t child = fork();
    if (child == 0) {
        execve(self, none, environ);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    printf("no arguments: status %d\n", WEXITSTATUS(status));
    char *long_argument = malloc(200000);
    memset(long_argument, 'a', 199999);
    long_argument[199999] = 0;
    arguments[1] = long_argument;
    tell("long argument", AT_FDCWD, self, 0);

    const char *names[] = {"plain", "script", "pipe", "loop", "deep1", "deep2", "deep3", "deep4", "deep5", "deep6"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) unlink(path_of(names[i]));
    return rmdir(folder) != 0;
}
