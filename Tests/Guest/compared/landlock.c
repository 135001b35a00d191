// landlock: a thread gives up files, and still executes what it may.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *outcome(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }
static const char *tryOpen(const char *path, int flags) {
    int fd = open(path, flags, 0600);
    const char *text = outcome(fd);
    if (fd >= 0) close(fd);
    return text;
}

static void restricted(const char *readable) {
    struct landlock_ruleset_attr handled = {LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG};
    int rules = syscall(SYS_landlock_create_ruleset, &handled, 8, 0);
    struct landlock_path_beneath_attr in = {LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG, open("in", O_PATH)};
    printf("a rule: %s\n", outcome(syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &in, 0)));
    struct landlock_path_beneath_attr other = {LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE, open(readable, O_PATH)};
    printf("another: %s\n", outcome(syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &other, 0)));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    printf("restricted: %s\n", outcome(syscall(SYS_landlock_restrict_self, rules, 0)));
    printf("in: %s, %s\n", tryOpen("in/file", O_RDWR), tryOpen("in/new", O_CREAT | O_RDWR));
    printf("out: %s, %s, %s\n", tryOpen("out/file", O_RDONLY), tryOpen("out/new", O_CREAT | O_WRONLY), tryOpen("/etc/passwd", O_RDONLY));
    fflush(stdout);
}

int main(int count, char **arguments) {
    char name[200];
    if (count > 1) {
        snprintf(name, sizeof name, "%s/out/file", arguments[1]);
        printf("executed: %s, %s\n", tryOpen(name, O_RDONLY), tryOpen(name, O_WRONLY));
        return 0;
    }
    char folder[] = "/tmp/landlockXXXXXX", self[200];
    if (!mkdtemp(folder) || chdir(folder)) return 1;
    mkdir("in", 0700);
    mkdir("out", 0700);
    close(open("in/file", O_CREAT | O_WRONLY, 0600));
    close(open("out/file", O_CREAT | O_WRONLY, 0600));
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = 0;
    printf("version %d\n", syscall(SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0);
    fflush(stdout);
    // What may be read and executed: only the program, then everything.
    for (int all = 0; all < 2; all++) {
        pid_t child = fork();
        if (!child) {
            restricted(all ? "/" : self);
            if (!all) _exit(0);
            execl(self, "landlock", folder, (char *)0);
            printf("not executed: %s\n", strerrorname_np(errno));
            _exit(1);
        }
        int status;
        waitpid(child, &status, 0);
        printf("ends with %x\n", status);
        fflush(stdout);
    }
    const char *files[] = {"in/file", "in/new", "out/file", "out/new"};
    for (int i = 0; i < 4; i++) unlink(files[i]);
    rmdir("in");
    rmdir("out");
    return rmdir(folder);
}
