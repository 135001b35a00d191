// What a process sees in /proc of other processes of the same kind: arguments, environment and name, while they run, when they have set a title, after execve(2) and when they have ended. Names of processes are
// cut to twelve letters: the one that is built for the host has a longer name.
// cflags: -Wno-unused-result
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[1 << 20];
static int size;
static char program[PATH_MAX];

static const char *result(long value) { return value < 0 ? strerrorname_np(errno) : "ok"; }

static const char *contents(int pid, const char *name) {
    char path[100];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY), count;
    size = 0;
    while (fd >= 0 && (count = read(fd, text + size, sizeof text - size - 1)) > 0) size += count;
    text[size] = 0;
    if (fd < 0) size = -1;
    close(fd);
    return text;
}

// Strings with their zeros as bars.
static void strings(const char *what, int pid, const char *name) {
    contents(pid, name);
    for (int i = 0; i < size; i++) if (!text[i]) text[i] = '|';
    printf("%s: %s %s\n", what, name, size < 0 ? strerrorname_np(errno) : text);
}

// A line of status, without its name.
static const char *line(int pid, const char *name, char *value) {
    char *at = strstr(contents(pid, "status"), name);
    if (!at || sscanf(at + strlen(name), " %60[^\n]", value) != 1) strcpy(value, "none");
    return value;
}

static unsigned long number(int pid, const char *file, int wanted) {
    char *save, *word = strrchr(contents(pid, file), ')');
    word = word ? strtok_r(word + 2, " ", &save) : NULL;
    for (int i = 3; word && i < wanted; i++) word = strtok_r(NULL, " ", &save);
    return word ? strtoul(word, NULL, 10) : 99999;
}

static int entries(int pid, const char *name) {
    char path[100];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    DIR *folder = opendir(path);
    int count = -2;
    while (folder && readdir(folder)) count++;
    if (folder) closedir(folder);
    return count;
}

static void names(const char *what, int pid) {
    char value[100], folder[60];
    strings(what, pid, "cmdline");
    strings(what, pid, "environ");
    printf("%s: comm %.12s\n", what, contents(pid, "comm"));
    printf("%s: Name %.12s, Threads %s\n", what, line(pid, "Name:", value), line(pid, "Threads:", folder));
    const char *stat = contents(pid, "stat"), *open = strchr(stat, '(');
    int width = strrchr(stat, ')') - open;
    printf("%s: stat %.*s, threads %lu", what, width < 13 ? width : 13, open, number(pid, "stat", 20));
    snprintf(folder, sizeof folder, "task/%d/stat", pid);
    printf(" %lu, listed %d, descriptors %d\n", number(pid, folder, 20), entries(pid, "task"), entries(pid, "fd"));
}

static void auxiliary(int pid) {
    contents(pid, "auxv");
    const unsigned long *vector = (const unsigned long *)text;
    while (vector[0] && vector[0] != AT_PHDR) vector += 2;
    printf("auxv %d\n", size > 0 && vector[1] == getauxval(AT_PHDR));
}

// As titles are set: over the arguments, and what does not fit there over the environment.
static void setTitle(char **arguments, const char *title) {
    extern char **environ;
    char *end = arguments[0];
    for (int i = 0; arguments[i]; i++) end = arguments[i] + strlen(arguments[i]) + 1;
    for (int i = 0; environ[i]; i++) end = environ[i] + strlen(environ[i]) + 1;
    memset(arguments[0], 0, end - arguments[0]);
    strncpy(arguments[0], title, end - arguments[0] - 1);
}

// The child of this name does what its second argument says, tells the descriptor of its third, and waits.
static int child(char **arguments) {
    static int ready;
    ready = atoi(arguments[2]);
    char what = arguments[1][0];
    if (what == 's') setTitle(arguments, "short");
    if (what == 'l') setTitle(arguments, "a title that is longer than all of the arguments are");
    if (what == 'n') prctl(PR_SET_NAME, "renamed");
    write(ready, "x", 1);
    pause();
    return 0;
}

static int start(const char *path, char *name, char *what, char *more) {
    int ends[2];
    char byte, number[20];
    pipe(ends);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        // Three descriptors and this one.
        dup2(ends[1], 3);
        close(4);
        snprintf(number, sizeof number, "%d", 3);
        char *arguments[] = {name, what, number, more, NULL}, *environment[] = {"HELLO=there", "EMPTY=", "LAST=1", NULL};
        execve(path, arguments, environment);
        _exit(9);
    }
    close(ends[1]);
    read(ends[0], &byte, 1);
    close(ends[0]);
    return pid;
}

static int end(int pid) {
    int status;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return status;
}

static void executed(void) {
    int pid = start(program, "some name", "wait", "two words");
    names("executed", pid);
    // It ends, and nobody has asked for its status.
    siginfo_t info;
    kill(pid, SIGKILL);
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
    strings("ended", pid, "cmdline");
    strings("ended", pid, "environ");
    printf("ended: comm %.12s\n", contents(pid, "comm"));
    end(pid);
}

static void titles(void) {
    int pid = start(program, "program with a title", "short", "more");
    names("short title", pid);
    end(pid);
    pid = start(program, "t", "long", "more");
    strings("long title", pid, "cmdline");
    end(pid);
    pid = start(program, "x", "name", "");
    names("renamed", pid);
    end(pid);
}

// By a link and by a script: the process has their names.
static void named(void) {
    char folder[] = "/tmp/otherprocessXXXXXX", path[100];
    mkdtemp(folder);
    snprintf(path, sizeof path, "%s/a link with a long name", folder);
    symlink(program, path);
    int pid = start(path, "x", "wait", "");
    names("link", pid);
    end(pid);
    unlink(path);
    snprintf(path, sizeof path, "%s/script", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0700);
    dprintf(fd, "#!%s\n", program);
    close(fd);
    int ends[2];
    pipe(ends);
    fflush(stdout);
    if ((pid = fork()) == 0) {
        dup2(ends[1], 3);
        execl(path, "script", "3", NULL);
        _exit(9);
    }
    close(ends[1]);
    read(ends[0], path, 1);
    close(ends[0]);
    printf("script: comm %s", contents(pid, "comm"));
    end(pid);
    snprintf(path, sizeof path, "%s/script", folder);
    unlink(path);
    rmdir(folder);
}

static void forked(void) {
    int ends[2];
    char byte;
    pipe(ends);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        write(ends[1], "x", 1);
        pause();
    }
    read(ends[0], &byte, 1);
    names("forked", pid);
    auxiliary(pid);
    end(pid);
    close(ends[0]);
    close(ends[1]);
}

// One that is no program of the emulator's, and a thread of the kernel's.
static void others(void) {
    strings("kernel", 2, "cmdline");
    char path[] = "/proc/2/exe", link[10];
    printf("kernel: exe %s\n", result(readlink(path, link, sizeof link)));
    printf("none: cmdline %s\n", result(open("/proc/4999999/cmdline", O_RDONLY)));
    printf("none: task %s\n", result(open("/proc/4999999/task", O_RDONLY)));
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    realpath("/proc/self/exe", program);
    if (count == 4) return child(arguments);
    if (count == 3) {
        // As a script's interpreter: its name, and the descriptor.
        write(atoi(arguments[2]), "x", 1);
        pause();
    }
    // Nothing in it depends on how it was started.
    if (count == 1) {
        char *fixed[] = {"otherprocess", "main", NULL}, *environment[] = {"PLACE=here", NULL};
        execve(program, fixed, environment);
        return 1;
    }
    for (int fd = 3; fd < 100; fd++) close(fd);
    executed();
    titles();
    named();
    forked();
    others();
    return 0;
}
