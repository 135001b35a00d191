// Files and folders: open flags, read, write, seek, vectors, stat and its kin, links, rename, getdents, truncate,
// permissions, working folder, descriptors, locks, statx, splice-like copies, errors.
// guests: riscv32
#define _GNU_SOURCE
#include "errors.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOW(call) do { errno = 0; long r_ = (long)(call); printf("%s -> %ld%s%s\n", #call, r_, r_ < 0 ? " " : "", r_ < 0 ? error_name(errno) : ""); } while (0)
static int order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void) {
    char folder[] = "/tmp/martlet-filesXXXXXX";
    if (!mkdtemp(folder) || chdir(folder)) return 1;
    umask(022);
    SHOW(open("missing", O_RDONLY));
    int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0666);
    SHOW(open("a", O_RDWR | O_CREAT | O_EXCL, 0666));
    SHOW(write(fd, "hello, world", 12));
    SHOW(lseek(fd, -5, SEEK_END));
    char text[64] = "";
    SHOW(read(fd, text, 10));
    puts(text);
    struct iovec vector[3] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
    SHOW(pwritev(fd, vector, 3, 100));
    SHOW(pread(fd, text, 13, 100));
    printf("%.13s\n", text);
    struct stat st;
    SHOW(fstat(fd, &st));
    printf("size %ld mode %o links %ld regular %d\n", (long)st.st_size, st.st_mode & 07777, (long)st.st_nlink, S_ISREG(st.st_mode));
    SHOW(ftruncate(fd, 5));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(fallocate(fd, 0, 0, 8192));
    SHOW(stat("a", &st));
    printf("size %ld\n", (long)st.st_size);
    SHOW(link("a", "b"));
    SHOW(symlink("a", "c"));
    SHOW(readlink("c", text, sizeof text));
    SHOW(lstat("c", &st));
    printf("link %d\n", S_ISLNK(st.st_mode));
    SHOW(mkdir("d", 0755));
    SHOW(mkdir("d", 0755));
    SHOW(rename("b", "d/b"));
    SHOW(access("d/b", R_OK | W_OK));
    SHOW(chmod("d/b", 0400));
    SHOW(stat("d/b", &st));
    printf("mode %o links %ld\n", st.st_mode & 07777, (long)st.st_nlink);
    SHOW(rmdir("d"));
    for (int i = 0; i < 300; i++) { char name[32]; snprintf(name, sizeof name, "d/file%03d", i); close(open(name, O_CREAT | O_WRONLY, 0600)); }
    DIR *dir = opendir("d");
    char *names[400]; int count = 0;
    for (struct dirent *e; (e = readdir(dir));) names[count++] = strdup(e->d_name);
    closedir(dir);
    qsort(names, (size_t)count, sizeof *names, order);
    printf("entries %d: %s %s %s .. %s\n", count, names[0], names[1], names[2], names[count - 1]);
    struct statx sx;
    SHOW(statx(AT_FDCWD, "a", 0, STATX_SIZE | STATX_MODE, &sx));
    printf("statx %ld %o\n", (long)sx.stx_size, sx.stx_mode & 07777);
    int copy = dup(fd);
    SHOW(dup2(fd, 50));
    SHOW(dup3(fd, 51, O_CLOEXEC) == 51 && fcntl(51, F_GETFD) == FD_CLOEXEC);
    SHOW(fcntl(fd, F_GETFL) & O_ACCMODE);
    SHOW(fcntl(copy, F_DUPFD, 60));
    SHOW(close(99));
    SHOW(flock(fd, LOCK_EX));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    SHOW(fcntl(fd, F_SETLK, &lock));
    SHOW(utimensat(AT_FDCWD, "a", (struct timespec[]){{1000, 5}, {2000, 6}}, 0));
    SHOW(stat("a", &st));
    printf("times %ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    int out = open("e", O_WRONLY | O_CREAT | O_APPEND, 0644);
    off_t at = 0;
    SHOW(sendfile(out, fd, &at, 5));
    SHOW(write(out, "tail", 4));
    SHOW(copy_file_range(fd, NULL, out, NULL, 0, 0));
    FILE *f = fopen("e", "r");
    if (fgets(text, sizeof text, f)) printf("%s\n", text);
    SHOW(fclose(f));
    int dfd = open("d", O_RDONLY | O_DIRECTORY);
    SHOW(openat(dfd, "none", O_RDONLY));
    SHOW(faccessat(dfd, "file007", F_OK, 0));
    SHOW(unlinkat(dfd, "file007", 0));
    SHOW(faccessat(dfd, "file007", F_OK, 0));
    SHOW(read(dfd, text, 1));
    SHOW(fchdir(dfd));
    char *cwd = getcwd(NULL, 0);
    printf("cwd ends in %s\n", strrchr(cwd, '/'));
    struct winsize window;
    SHOW(ioctl(fd, TIOCGWINSZ, &window));
    struct statfs fs;
    SHOW(statfs("/proc", &fs));
    printf("proc %lx\n", (unsigned long)fs.f_type);
    int devnull = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
    SHOW(write(devnull, text, 10));
    SHOW(read(devnull, text, 10));
    SHOW(read(zero, text, 10));
    SHOW(chdir(folder));
    for (int i = 0; i < 300; i++) { char name[32]; snprintf(name, sizeof name, "d/file%03d", i); unlink(name); }
    unlink("d/b"); unlink("a"); unlink("c"); unlink("e"); rmdir("d");
    SHOW(chdir("/"));
    SHOW(rmdir(folder));
    return 0;
}
