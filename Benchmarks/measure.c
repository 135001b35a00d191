// Runs a command and prints how long it took and how much memory its largest process used: "microseconds kilobytes status".
//
//   measure [-n RUNS] [-r ROOT] [-d FOLDER] [-o OUTPUT] COMMAND ARGUMENTS...
//
// With -n the median of several runs in a row (for what takes a few milliseconds). With -r the command runs in that
// root folder, with the host's /dev and /proc inside, in a mount namespace of its own: nothing of the host's changes.
// The set-up is done once, before the clock starts. Standard output of the first run goes to OUTPUT.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) { perror(what); exit(125); }
static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) fail(path);
    close(fd);
}
static void enter(const char *root) {
    char path[4096], map[64];
    uid_t uid = geteuid(); gid_t gid = getegid();
    if (unshare(uid ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS)) fail("unshare");
    if (uid) {
        put("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", uid); put("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", gid); put("/proc/self/gid_map", map);
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) fail("mount private");
    snprintf(path, sizeof path, "%s/dev", root);
    if (mount("/dev", path, NULL, MS_BIND | MS_REC, NULL)) fail(path);
    snprintf(path, sizeof path, "%s/proc", root);
    if (mount("/proc", path, NULL, MS_BIND | MS_REC, NULL)) fail(path);
    if (chroot(root) || chdir("/")) fail(root);
}
static int compare(const void *a, const void *b) { long x = *(const long *)a, y = *(const long *)b; return (x > y) - (x < y); }

int main(int argc, char **argv) {
    int runs = 1, option, output = -1, null = open("/dev/null", O_RDWR), status = 0;
    const char *root = NULL, *folder = NULL;
    while ((option = getopt(argc, argv, "+n:r:d:o:")) != -1)
        switch (option) {
            case 'n': runs = atoi(optarg); break;
            case 'r': root = optarg; break;
            case 'd': folder = optarg; break;
            case 'o': output = open(optarg, O_WRONLY | O_CREAT | O_TRUNC, 0666); if (output < 0) fail(optarg); break;
            default: return 125;
        }
    if (optind == argc || runs < 1 || runs > 1000) { fprintf(stderr, "measure: no command, or a bad number of runs\n"); return 125; }
    if (root) enter(root);
    if (folder && chdir(folder)) fail(folder);
    long times[1000], memory = 0;
    for (int run = 0; run < runs; run++) {
        struct timespec from, to;
        struct rusage usage;
        int state;
        clock_gettime(CLOCK_MONOTONIC, &from);
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) {
            dup2(null, 0);
            dup2(run == 0 && output >= 0 ? output : null, 1);
            alarm(600);
            execvp(argv[optind], argv + optind);
            perror(argv[optind]);
            _exit(127);
        }
        if (wait4(child, &state, 0, &usage) < 0) fail("wait");
        clock_gettime(CLOCK_MONOTONIC, &to);
        times[run] = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
        if (usage.ru_maxrss > memory) memory = usage.ru_maxrss;
        if (state && !status) status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    }
    qsort(times, (size_t)runs, sizeof *times, compare);
    printf("%ld %ld %d\n", times[runs / 2], memory, status);
    return 0;
}
