// What a process sees of itself in /proc, by whatever name it reaches it: its own mappings, program, arguments and
// memory.
// cflags: -Wno-unused-result
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[1 << 20];
static char *const place = (char *)0x1234500000;   // free everywhere
static const char *program;

static const char *result(long value) { return value < 0 ? strerrorname_np(errno) : "ok"; }

static int contents(int directory, const char *name) {
    int fd = openat(directory, name, O_RDONLY), size = 0, count;
    text[0] = 0;
    if (fd < 0) return -1;
    while ((count = read(fd, text + size, sizeof text - size - 1)) > 0) size += count;
    close(fd);
    text[size] = 0;
    return size;
}

static int mentions(char *address) {
    char start[32];
    sprintf(start, "%lx-", (long)address);
    return strstr(text, start) != NULL && !strstr(text, "martlet");
}

static void maps(const char *what, int directory, const char *name) {
    int size = contents(directory, name);
    printf("%s: %s, mine %d\n", what, size < 0 ? strerrorname_np(errno) : "read", size > 0 && mentions(place));
}

static int isProgram(int fd, const char *name, int flags) {
    struct stat a, b;
    return fstatat(fd, name, &a, flags) == 0 && stat(program, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static void names(void) {
    char name[100], cwd[PATH_MAX];
    int self = open("/proc/self", O_PATH | O_DIRECTORY), root = open("/", O_RDONLY | O_DIRECTORY), proc = open("/proc", O_RDONLY);
    maps("plain", AT_FDCWD, "/proc/self/maps");
    maps("slashes", AT_FDCWD, "//proc//self///maps");
    maps("dots", AT_FDCWD, "/proc/./self/../self/./maps");
    maps("up", AT_FDCWD, "/tmp/../proc/self/maps");
    maps("thread-self", AT_FDCWD, "/proc/thread-self/maps");
    maps("root", AT_FDCWD, "/proc/self/root/proc/self/maps");
    maps("slash behind", AT_FDCWD, "/proc/self/maps/");
    maps("directory", self, "maps");
    maps("from /proc", proc, "self/maps");
    maps("from /", root, "proc/self/maps");
    sprintf(name, "/proc/%d/maps", getpid());
    maps("number", AT_FDCWD, name);
    sprintf(name, "/proc/%d/task/%ld/maps", getpid(), syscall(SYS_gettid));
    maps("task", AT_FDCWD, name);
    sprintf(name, "/proc/self/fd/%d/maps", self);
    maps("descriptor", AT_FDCWD, name);
    sprintf(name, "/proc/self/fd/%d", openat(self, "maps", O_PATH));
    maps("reopened", AT_FDCWD, name);
    sprintf(name, "/dev/fd/%d", openat(self, "maps", O_RDONLY));
    maps("reopened by /dev", AT_FDCWD, name);
    if (!getcwd(cwd, sizeof cwd) || chdir("/proc/self")) return;
    maps("relative", AT_FDCWD, "maps");
    maps("relative up", AT_FDCWD, "../self/maps");
    maps("relative task", AT_FDCWD, "task/../maps");
    printf("exe relative %d\n", isProgram(AT_FDCWD, "exe", 0));
    if (chdir(cwd)) return;
    maps("missing", self, "map");
    errno = 0;
    printf("new %s\n", result(open("/proc/self/maps", O_RDONLY | O_CREAT | O_EXCL, 0)));
    printf("as directory %s\n", result(open("/proc/self/maps", O_RDONLY | O_DIRECTORY)));
    printf("direct %s\n", result(open("/proc/self/maps", O_RDONLY | O_DIRECT)));
}

static void executable(void) {
    char name[100], link[PATH_MAX], wanted[PATH_MAX];
    int self = open("/proc/self", O_PATH | O_DIRECTORY);
    if (!realpath(program, wanted)) return;
    sprintf(name, "/proc/self/task/%d/exe", getpid());
    const char *all[] = {"/proc/self/exe", "//proc/self/./exe", "/proc/thread-self/exe", "/proc/self/root/proc/self/exe", name};
    for (int i = 0; i < 5; i++) {
        int count = readlink(all[i], link, sizeof link);
        int fd = open(all[i], O_RDONLY), path = open(all[i], O_PATH), linkItself = open(all[i], O_PATH | O_NOFOLLOW);
        printf("exe %d: link %d, stat %d, open %d %d %d, access %s\n", i, count == (int)strlen(wanted) && !memcmp(link, wanted, count),
            isProgram(AT_FDCWD, all[i], 0), isProgram(fd, "", AT_EMPTY_PATH), isProgram(path, "", AT_EMPTY_PATH),
            isProgram(linkItself, "", AT_EMPTY_PATH), result(access(all[i], X_OK)));
        printf("not followed %s\n", result(open(all[i], O_RDONLY | O_NOFOLLOW)));
        close(fd);
        close(path);
        close(linkItself);
    }
    int count = readlinkat(self, "exe", link, sizeof link);
    printf("exe by descriptor: link %d, stat %d, open %d\n", count == (int)strlen(wanted) && !memcmp(link, wanted, count),
        isProgram(self, "exe", 0), isProgram(openat(self, "exe", O_RDONLY), "", AT_EMPTY_PATH));
    printf("short link %zd\n", readlinkat(self, "exe", link, 3));
    struct statx x;
    struct stat s;
    printf("statx %d\n", statx(self, "exe", 0, STATX_INO, &x) == 0 && stat(program, &s) == 0 && x.stx_ino == s.st_ino);
    char alias[] = "/tmp/procfilesXXXXXX";
    if (!mkdtemp(alias)) return;
    sprintf(name, "%s/exe", alias);
    if (symlink("/proc/self/exe", name)) return;
    printf("exe by link: stat %d, open %d\n", isProgram(AT_FDCWD, name, 0), isProgram(open(name, O_RDONLY), "", AT_EMPTY_PATH));
    unlink(name);
    rmdir(alias);
}

// Prints the lines of the list from `start` on, relative to it.
static void lines(const char *title, char *start, char *end) {
    printf("%s:\n", title);
    contents(AT_FDCWD, "/proc/self/maps");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long from, to, offset, inode;
        char rights[8], device[16], name[PATH_MAX] = "";
        if (sscanf(line, "%lx-%lx %7s %lx %15s %lu %s", &from, &to, rights, &offset, device, &inode, name) < 6) continue;
        if (from < (unsigned long)start || from >= (unsigned long)end) continue;
        char *last = strrchr(name, '/');
        // Names of temporary files vary in their last six letters.
        printf("  %lx-%lx %s %lx %s %.10s\n", from - (long)start, to - (long)start, rights, offset, inode ? "file" : "none", last ? last : name);
    }
}

static void merging(void) {
    char one[] = "/tmp/procfilesXXXXXX", two[] = "/tmp/procfilesXXXXXX";
    int a = mkstemp(one), b = mkstemp(two), flags = MAP_PRIVATE | MAP_FIXED;
    char *at = place + (1 << 20);
    if (ftruncate(a, 1 << 16) || ftruncate(b, 1 << 16)) return;
    unlink(one);
    unlink(two);
    mmap(at, 4096, PROT_READ, flags, a, 0);
    mmap(at + 4096, 4096, PROT_READ, flags, b, 4096);
    lines("two files", at, at + (1 << 19));
    munmap(at, 1 << 19);
    mmap(at, 8192, PROT_READ, flags, a, 0);
    mmap(at + 8192, 8192, PROT_READ, flags, a, 8192);
    lines("one file that goes on", at, at + (1 << 19));
    munmap(at, 1 << 19);
    mmap(at, 8192, PROT_READ, flags, a, 0);
    mmap(at + 8192, 8192, PROT_READ, flags, a, 0);
    lines("the same twice", at, at + (1 << 19));
    munmap(at, 1 << 19);
    mmap(at, 8192, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    mmap(at + 8192, 8192, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    lines("no file", at, at + (1 << 19));
    mprotect(at + 4096, 8192, PROT_READ | PROT_EXEC);
    lines("other rights inside", at, at + (1 << 19));
    mprotect(at + 4096, 8192, PROT_READ | PROT_WRITE);
    lines("the same again", at, at + (1 << 19));
    munmap(at, 1 << 19);
    mmap(at, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    mmap(at + 8192, 8192, PROT_NONE, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    lines("shared", at, at + (1 << 19));
    munmap(at, 1 << 19);
    mmap(at, 8192, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    at[0] = 1;
    fflush(stdout);
    if (fork() == 0) {
        char *next = at + 8192;
        mmap(next, 8192, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
        next[0] = 1;
        lines("a child's own beside what it inherited", at, at + (1 << 19));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    munmap(at, 1 << 19);
    close(a);
    close(b);
}

static long field(const char *from, const char *name) {
    const char *at = strstr(from, name);
    return at ? atol(at + strlen(name)) : -1;
}

static void statistics(void) {
    char *at = place + (1 << 20), start[32];
    mmap(at, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++) at[i * 4096] = 1;
    sprintf(start, "%lx-", (long)at);
    contents(AT_FDCWD, "/proc/self/smaps");
    char *mine = strstr(text, start);
    printf("smaps %d\n", mine != NULL && !strstr(text, "martlet"));
    if (mine) printf("Size %ld Rss %ld Private_Dirty %ld, flags %.12s\n", field(mine, "\nSize:"), field(mine, "\nRss:"), field(mine, "\nPrivate_Dirty:"), strstr(mine, "VmFlags:"));
    contents(AT_FDCWD, "/proc/self/smaps_rollup");
    printf("rollup %d, less than 64 MiB %d\n", strstr(text, "[rollup]") && field(text, "\nRss:") > 16 && field(text, "\nPss_Anon:") >= 16, field(text, "\nRss:") < 65536);
    munmap(at, 1 << 16);
}

static void strings(int count, char **arguments) {
    int size = contents(AT_FDCWD, "/proc/self/cmdline"), wanted = 0, same = 1;
    for (int i = 0; i < count; i++) {
        same = same && !strcmp(text + wanted, arguments[i]);
        wanted += strlen(arguments[i]) + 1;
    }
    printf("cmdline %d\n", size == wanted && same);
    extern char **environ;
    size = contents(AT_FDCWD, "/proc/self/environ");
    wanted = 0;
    same = 1;
    for (int i = 0; environ[i]; i++) {
        same = same && !strcmp(text + wanted, environ[i]);
        wanted += strlen(environ[i]) + 1;
    }
    printf("environ %d\n", size == wanted && same);
    size = contents(AT_FDCWD, "/proc/self/auxv");
    const unsigned long *vector = (const unsigned long *)text;
    for (; vector[0] && vector[0] != AT_PHDR; vector += 2) {}
    printf("auxv %d\n", size > 0 && vector[1] == getauxval(AT_PHDR));
    // A title of its own, first within its arguments, then longer than they are.
    char *name = arguments[0];
    name[1] = 0;
    contents(AT_FDCWD, "/proc/self/cmdline");
    printf("cut %zu\n", strlen(text));
    char *end = arguments[count - 1] + strlen(arguments[count - 1]) + 1;
    memset(name, 't', end - name + 3);
    name[end - name + 3] = 0;
    size = contents(AT_FDCWD, "/proc/self/cmdline");
    printf("title %d\n", size == end - name + 4 && (int)strlen(text) == size - 1);
}

static void standIns(void) {
    const char *all[] = {"maps", "smaps", "cmdline", "environ", "auxv", "mem"};
    int file = memfd_create("file", 0), pipes[2];
    if (pipe2(pipes, O_NONBLOCK)) return;
    for (int i = 0; i < 6; i++) {
        char name[50], link[PATH_MAX], wanted[50];
        sprintf(name, "/proc/self/%s", all[i]);
        sprintf(wanted, "/proc/%d/%s", getpid(), all[i]);
        int fd = open(name, O_RDONLY);
        struct stat s, t;
        struct statx x;
        fstat(fd, &s);
        stat(name, &t);
        statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x);
        printf("%s: size %ld %ld mode %o same file %d\n", all[i], (long)s.st_size, (long)x.stx_size, s.st_mode, s.st_ino == t.st_ino && s.st_dev == t.st_dev);
        sprintf(name, "/proc/self/fd/%d", fd);
        int count = readlink(name, link, sizeof link);
        link[count < 0 ? 0 : count] = 0;
        printf("  link %d %zd, flags %x\n", !strcmp(link, wanted), readlink(name, link, 3), fcntl(fd, F_GETFL));
        printf("  sendfile %s", result(sendfile(file, fd, 0, 100)));
        printf(" splice %s", result(splice(fd, 0, pipes[1], 0, 100, SPLICE_F_NONBLOCK)));
        printf(" copy %s", result(copy_file_range(fd, 0, file, 0, 100, 0)));
        printf(" tee %s\n", result(tee(fd, pipes[1], 100, SPLICE_F_NONBLOCK)));
        if (write(pipes[1], "x", 1) != 1) return;
        printf("  write %s", result(write(fd, "x", 1)));
        printf(" splice into %s", result(splice(pipes[0], 0, fd, 0, 1, SPLICE_F_NONBLOCK)));
        printf(" copy into %s", result(copy_file_range(file, 0, fd, 0, 1, 0)));
        printf(" truncate %s", result(ftruncate(fd, 0)));
        printf(" map %s\n", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? strerrorname_np(errno) : "ok");
        fcntl(pipes[0], F_SETFL, O_NONBLOCK);
        char drained[64];
        while (read(pipes[0], drained, sizeof drained) > 0) {}
        close(fd);
    }
}

static int seven(void) { return 7; }

static void memory(void) {
    char *at = place, buffer[64] = "", name[64];
    int fd = open("/proc/self/mem", O_RDWR);
    strcpy(at, "before");
    mprotect(at, 4096, PROT_READ);
    ssize_t count = pread(fd, buffer, 7, (long)at);
    printf("read %zd %s\n", count, buffer);
    count = pwrite(fd, "after!", 7, (long)at);
    printf("write to read-only memory %zd %s\n", count, at);
    mprotect(at, 4096, PROT_NONE);
    count = pread(fd, buffer, 7, (long)at);
    printf("read of unreadable memory %zd %s\n", count, buffer);
    mprotect(at, 4096, PROT_READ | PROT_WRITE);
    printf("seek %d\n", lseek(fd, (long)at, SEEK_SET) == (long)at);
    ssize_t first = read(fd, buffer, 3), second = read(fd, buffer + 3, 4);
    printf("read on %zd %zd %s, at %ld\n", first, second, buffer, (long)(lseek(fd, 0, SEEK_CUR) - (long)at));
    printf("seek to the end %s\n", result(lseek(fd, 0, SEEK_END)));
    struct iovec parts[2] = {{buffer, 2}, {buffer + 2, 5}};
    count = preadv(fd, parts, 2, (long)at);
    printf("vector %zd %s\n", count, buffer);
    struct iovec words[2] = {{"ve", 2}, {"ctor", 5}};
    count = pwritev(fd, words, 2, (long)at);
    printf("vector %zd %s\n", count, at);
    printf("nothing there %s\n", result(pread(fd, buffer, 1, (long)at + (1 << 24))));
    printf("beyond %s\n", result(pread(fd, buffer, 1, 1L << 46)));
    printf("far beyond %s\n", result(pread(fd, buffer, 1, -4096)));
    printf("write beyond %s\n", result(pwrite(fd, buffer, 1, 1L << 46)));
    printf("zero bytes %zd\n", pread(fd, buffer, 0, (long)at + (1 << 24)));
    printf("across the end %zd\n", pread(fd, text, 8192, (long)at + 4096));
    printf("bad buffer %s\n", result(syscall(SYS_pread64, fd, 8, 4, at)));
    // Code that has run is code that may be replaced.
    int (*volatile function)(void) = seven;
    int sum = function();
    char saved[16];
    pread(fd, saved, sizeof saved, (long)seven);
    pwrite(fd, saved, sizeof saved, (long)seven);
    printf("code %d %d\n", sum, function());
    sprintf(name, "/proc/self/task/%d/mem", getpid());
    int other = open(name, O_RDONLY), copy = dup(other);
    count = pread(copy, buffer, 7, (long)at);
    printf("task %zd %s\n", count, buffer);
    printf("task beyond %s\n", result(pread(copy, buffer, 1, 1L << 46)));
    int self = open("/proc/self", O_PATH);
    count = pread(openat(self, "mem", O_RDONLY), buffer, 7, (long)at);
    printf("relative %zd %s\n", count, buffer);
    printf("not for writing %s\n", result(pwrite(other, "x", 1, (long)at)));
    close(fd);
    close(other);
    close(copy);
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    program = strdup(arguments[0]);
    mmap(place, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    names();
    executable();
    merging();
    statistics();
    standIns();
    memory();
    strings(count, arguments);
    return 0;
}
