// Assorted calls that programs make at start: limits, identities, names, priorities, prctl, CPU sets, random numbers, sysinfo.
// oracle: none. qemu-user knows no address of the thread id word.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    struct rlimit limit;
    printf("stack limit %d %d\n", getrlimit(RLIMIT_STACK, &limit), limit.rlim_cur >= 65536);
    limit.rlim_cur = limit.rlim_max = 0;
    printf("core limit %d", setrlimit(RLIMIT_CORE, &limit));
    getrlimit(RLIMIT_CORE, &limit);
    printf(" %ld\n", (long)limit.rlim_cur);
    uid_t r, e, s;
    printf("ids %d %d\n", getresuid(&r, &e, &s), r == getuid() && e == geteuid());
    printf("groups %d\n", getgroups(0, NULL) >= 0);
    char name[17] = "";
    prctl(PR_SET_NAME, "renamed", 0, 0, 0);
    prctl(PR_GET_NAME, name, 0, 0, 0);
    printf("name %s\n", name);
    cpu_set_t set;
    printf("affinity %d %d\n", sched_getaffinity(0, sizeof set, &set), CPU_COUNT(&set) > 0);
    printf("processors %d, page %ld\n", sysconf(_SC_NPROCESSORS_ONLN) > 0, sysconf(_SC_PAGESIZE));
    unsigned char bytes[32] = {0};
    printf("random %zd\n", getrandom(bytes, sizeof bytes, 0));
    struct sysinfo info;
    printf("sysinfo %d %d\n", sysinfo(&info), info.totalram > 0);
    printf("yield %d priority %d\n", sched_yield(), getpriority(PRIO_PROCESS, 0) <= 19);
    char host[256];
    printf("host %d\n", gethostname(host, sizeof host));
    printf("session %d %d\n", getsid(0) >= 0, tcgetpgrp(99) == -1 && errno == EBADF);
    printf("tid %d\n", syscall(SYS_gettid) == getpid());
    static int *shown, cleared;
    syscall(SYS_set_tid_address, &cleared);
    printf("tid address %d\n", prctl(PR_GET_TID_ADDRESS, &shown, 0, 0, 0) == 0 && shown == &cleared);
    unsigned cpu;
    printf("getcpu %ld\n", syscall(SYS_getcpu, &cpu, NULL, NULL));
    printf("membarrier %d\n", syscall(SYS_membarrier, 0, 0, 0) >= 0 || errno == ENOSYS);
    printf("confstr %d\n", confstr(_CS_PATH, NULL, 0) > 0);
    fprintf(stderr, "to stderr\n");
    return 77;
}
