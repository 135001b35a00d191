// What a process sees in /proc of other processes of the same kind: program, arguments, environment, name, threads and
// memory, while they run, when they have set a title, after execve(2) and when they have ended. Names of processes are
// cut to twelve letters: the one that is built for the host has a longer name.
// cflags: -Wno-unused-result
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[1 << 20];
static int size;
static char program[PATH_MAX];
static char *const place = (char *)0x1234500000;   // free everywhere

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

static int isProgram(int directory, const char *name, int flags) {
    struct stat a, b;
    return fstatat(directory, name, &a, flags) == 0 && stat(program, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static void executable(const char *what, int pid) {
    char path[100], link[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    int count = readlink(path, link, sizeof link), fd = open(path, O_RDONLY), named = open(path, O_PATH);
    printf("%s: exe link %d, stat %d, open %d %d, access %s", what, count == (int)strlen(program) && !memcmp(link, program, count),
        isProgram(AT_FDCWD, path, 0), isProgram(fd, "", AT_EMPTY_PATH), isProgram(named, "", AT_EMPTY_PATH), result(access(path, X_OK)));
    struct stat s;
    printf(", itself a link %d, short %zd\n", lstat(path, &s) == 0 && S_ISLNK(s.st_mode), readlink(path, link, 3));
    close(fd);
    close(named);
    snprintf(path, sizeof path, "/proc/%d", pid);
    int folder = open(path, O_PATH | O_DIRECTORY);
    count = readlinkat(folder, "exe", link, sizeof link);
    fd = openat(folder, "exe", O_RDONLY);
    printf("%s: relative %d %d %d", what, count == (int)strlen(program) && !memcmp(link, program, count), isProgram(folder, "exe", 0),
        isProgram(fd, "", AT_EMPTY_PATH));
    close(fd);
    close(folder);
    snprintf(path, sizeof path, "/proc/%d/task/%d/exe", pid, pid);
    printf(", task %zd\n", readlink(path, link, sizeof link) - (ssize_t)strlen(program));
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

static void memory(int pid) {
    char start[40], path[60], buffer[20] = "", last[100];
    snprintf(start, sizeof start, "%lx-", (long)place);
    contents(pid, "maps");
    printf("maps: mine %d, program %d, stack %d, of the host %d\n", strstr(text, start) != NULL, strstr(text, program) != NULL,
        strstr(text, "[stack]\n") != NULL, strstr(text, "martlet") != NULL);
    contents(pid, "smaps");
    char *mine = strstr(text, start);
    printf("smaps: mine %d, size %ld, of the host %d\n", mine != NULL, mine ? atol(strstr(mine, "Size:") + 5) : 0, strstr(text, "martlet") != NULL);
    snprintf(path, sizeof path, "task/%d/maps", pid);
    contents(pid, path);
    printf("maps of the thread: mine %d, of the host %d\n", strstr(text, start) != NULL, strstr(text, "martlet") != NULL);
    struct iovec local = {buffer, 6}, remote = {place, 6};
    ssize_t count = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    printf("process_vm_readv %zd %s\n", count, buffer);
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int fd = open(path, O_RDWR);
    memset(buffer, 0, sizeof buffer);
    count = pread(fd, buffer, 6, (long)place);
    printf("mem %zd %s\n", count, buffer);
    printf("written %zd\n", pwrite(fd, "parent", 6, (long)place));
    close(fd);
    // The place of the stack is its own, and its code is ours.
    extern char __executable_start, etext;
    unsigned long code = number(pid, "stat", 26), stack = number(pid, "stat", 28);
    printf("code %d, stack %d, size %d\n", code >= (unsigned long)&__executable_start && code < (unsigned long)&etext,
        stack < (unsigned long)&start && stack > 0 ? 1 : stack > (unsigned long)&start, number(pid, "stat", 23) < 1UL << 28);
    line(pid, "VmSize:", last);
    printf("VmSize %d\n", atol(last) < 1 << 18);
}

static void *waits(void *argument) {
    prctl(PR_SET_NAME, "second");
    write(*(int *)argument, "x", 1);
    pause();
    return NULL;
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

static volatile unsigned sum;
static void spin(void) {
    for (unsigned i = 0; i < 3000000; i++) sum = sum * 31 + (i ^ (i >> 3));
}

// The child of this name does what its second argument says, tells the descriptor of its third, and waits.
static int child(char **arguments) {
    static int ready;
    ready = atoi(arguments[2]);
    char what = arguments[1][0];
    if (what == 't') {
        pthread_t thread;
        spin();
        pthread_create(&thread, NULL, waits, &ready);
        pause();
    }
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
    executable("executed", pid);
    // It ends, and nobody has asked for its status.
    siginfo_t info;
    kill(pid, SIGKILL);
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
    strings("ended", pid, "cmdline");
    strings("ended", pid, "environ");
    printf("ended: comm %.12s\n", contents(pid, "comm"));
    char path[60], link[10];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    printf("ended: exe %s", result(readlink(path, link, sizeof link)));
    printf(", open %s, threads %lu\n", result(open(path, O_RDONLY)), number(pid, "stat", 20));
    contents(pid, "maps");
    printf("ended: maps %d\n", size);
    end(pid);
    printf("gone: exe %s\n", result(readlink(path, link, sizeof link)));
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

static void threads(void) {
    int pid = start(program, "t", "threads", "");
    names("threads", pid);
    int names = 0;
    char path[60];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof path, "task/%.20s/comm", entry->d_name);
        if (atoi(entry->d_name)) names += !strcmp(contents(pid, path), "second\n") ? 10 : 1;
    }
    closedir(folder);
    printf("names %d\n", names);
    end(pid);
}

// The program of another file than ours, also executed and looked at by way of the link in /proc.
static void copied(const char *folder) {
    char path[100], link[100], of[60], *own = strdup(program);
    snprintf(path, sizeof path, "%s/copy", folder);
    int from = open(program, O_RDONLY), to = open(path, O_WRONLY | O_CREAT, 0700), count;
    while ((count = read(from, text, sizeof text)) > 0) write(to, text, count);
    close(from);
    close(to);
    strcpy(program, path);
    int pid = start(path, "x", "wait", "");
    names("copy", pid);
    executable("copy", pid);
    snprintf(of, sizeof of, "/proc/%d/exe", pid);
    snprintf(link, sizeof link, "%s/link", folder);
    symlink(of, link);
    int fd = open(link, O_RDONLY);
    printf("copy: by a link %d %d, access %s\n", isProgram(AT_FDCWD, link, 0), isProgram(fd, "", AT_EMPTY_PATH), result(access(link, X_OK)));
    close(fd);
    unlink(link);
    int second = start(of, "by its link", "wait", "");
    names("executed by the link", second);
    executable("executed by the link", second);
    end(second);
    end(pid);
    unlink(path);
    strcpy(program, own);
    free(own);
}

// By a link and by a script: the process has their names.
static void named(void) {
    char folder[] = "/tmp/otherprocessXXXXXX", path[100];
    mkdtemp(folder);
    snprintf(path, sizeof path, "%s/a link with a long name", folder);
    symlink(program, path);
    int pid = start(path, "x", "wait", "");
    names("link", pid);
    executable("link", pid);
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
    executable("script", pid);
    end(pid);
    snprintf(path, sizeof path, "%s/script", folder);
    unlink(path);
    copied(folder);
    rmdir(folder);
}

// The parent goes on as soon as the child has executed its program: it may look at it before that program runs.
static void early(void) {
    static int same, right, i;
    for (; i < 5; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execl(program, "early", "wait", "5", "third", NULL);
            _exit(9);
        }
        // (The kernel lets the parent go on before it has noted where the arguments are.)
        while (contents(pid, "cmdline"), size == 0) {}
        right += size == 19 && !memcmp(text, "early\0wait\0005\0third", 19);
        char path[60], link[PATH_MAX];
        snprintf(path, sizeof path, "/proc/%d/exe", pid);
        int count = readlink(path, link, sizeof link);
        same += count == (int)strlen(program) && !memcmp(link, program, count) && isProgram(AT_FDCWD, path, 0);
        end(pid);
    }
    printf("early: exe %d, cmdline %d\n", same, right);
}

static void forked(void) {
    int ends[2];
    char byte;
    pipe(ends);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        strcpy(place, "child");
        write(ends[1], "x", 1);
        while (strcmp(place, "parent")) usleep(500);
        write(ends[1], "y", 1);
        pause();
    }
    read(ends[0], &byte, 1);
    names("forked", pid);
    executable("forked", pid);
    auxiliary(pid);
    memory(pid);
    read(ends[0], &byte, 1);
    printf("seen by the child %c\n", byte);
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
    mmap(place, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    for (int fd = 3; fd < 100; fd++) close(fd);
    executed();
    titles();
    threads();
    named();
    early();
    forked();
    others();
    return 0;
}
