// PROCMAP_QUERY: questions about single mappings to /proc/self/maps.
// oracle: none. The oracle does not know the request; Linux 6.11 does.
// guests: riscv32
#include "errors.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

struct query {
    uint64_t size, flags, address, start, end, rights, pageSize, offset, inode;
    uint32_t major, minor, nameSize, idSize;
    uint64_t name, id;
};

static char *const place = (char *)0x62345000;
static char name[4096];

static void ask(const char *what, int fd, char *address, uint64_t flags) {
    struct query query = {.size = sizeof query, .flags = flags, .address = (uintptr_t)address, .nameSize = sizeof name, .name = (uintptr_t)name};
    name[0] = 0;
    if (ioctl(fd, 0xc0686611, &query)) {
        printf("%s: %s\n", what, error_name(errno));
        return;
    }
    const char *last = strrchr(name, '/');
    printf("%s: %lx-%lx rights %lx page %lx offset %lx file %d name %u %.8s\n", what, (long)query.start - (long)place, (long)query.end - (long)place,
        (long)query.rights, (long)query.pageSize, (long)query.offset, query.inode != 0, query.nameSize != 0, last ? last + 1 : name);
}

int main(void) {
    char file[] = "/tmp/mapqueryXXXXXX";
    int fd = mkstemp(file);
    if (fd < 0 || ftruncate(fd, 65536)) return 1;
    unlink(file);
    mmap(place, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    mmap(place + 65536, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 8192);
    mmap(place + 131072, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    int maps = open("/proc/self/maps", O_RDONLY);
    ask("inside", maps, place + 5000, 0);
    ask("in a hole", maps, place + 8192, 0);
    ask("or next", maps, place + 8192, 16);
    ask("next of a file", maps, place, 16 | 32);
    ask("next executable", maps, place, 16 | 4);
    ask("next shared", maps, place, 16 | 8);
    ask("not writable", maps, place + 65536, 2);
    ask("unknown", maps, place, 64);
    struct query query = {.size = 16};
    printf("short %s\n", ioctl(maps, 0xc0686611, &query) ? error_name(errno) : "ok");
    query.size = 8192;
    printf("long %s\n", ioctl(maps, 0xc0686611, &query) ? error_name(errno) : "ok");
    query = (struct query){.size = sizeof query, .address = (uintptr_t)place + 65536, .nameSize = 2, .name = (uintptr_t)name};
    printf("no room for the name %s\n", ioctl(maps, 0xc0686611, &query) ? error_name(errno) : "ok");
    query.name = 0;
    printf("room nowhere %s\n", ioctl(maps, 0xc0686611, &query) ? error_name(errno) : "ok");
    printf("nothing %s\n", ioctl(maps, 0xc0686611, 8) ? error_name(errno) : "ok");
    printf("not of maps %s\n", ioctl(fd, 0xc0686611, &query) ? error_name(errno) : "ok");
    return 0;
}
