// Memory calls: anonymous and file mappings, holes, protections, mremap in place and moving, brk, MAP_FIXED, madvise,
// shared memory between processes, sizes and addresses that must be refused.
// guests: riscv32
#define _GNU_SOURCE
#include "errors.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The C library's sbrk(3) may refuse to move it.
static char *break_at(char *end) { return (char *)syscall(SYS_brk, end); }

static const char *result(void *p) { return p == MAP_FAILED ? error_name(errno) : "ok"; }

int main(void) {
    char *p = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 'a', 16 * 4096);
    printf("munmap %d\n", munmap(p + 4 * 4096, 4 * 4096));
    char *q = mmap(p + 4 * 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("hole filled %d, zero %d, neighbours %c %c\n", q == p + 4 * 4096, q[0], p[4 * 4096 - 1], p[8 * 4096]);
    q = mmap(p, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf("no replace: %s\n", result(q));
    char *grown = mremap(p, 4 * 4096, 64 * 4096, MREMAP_MAYMOVE);
    printf("mremap %s, kept %c, new %d\n", result(grown), grown[4 * 4096 - 1], grown[63 * 4096]);
    memset(grown, 'b', 64 * 4096);
    char *shrunk = mremap(grown, 64 * 4096, 4096, 0);
    printf("shrunk in place %d %c\n", shrunk == grown, shrunk[0]);
    q = mremap(shrunk, 4096, (size_t)-65536, MREMAP_MAYMOVE);
    // ENOMEM; since Linux 6.17 EINVAL
    printf("too large: %s\n", q == MAP_FAILED && (errno == ENOMEM || errno == EINVAL) ? "refused" : result(q));

    char name[] = "/tmp/martlet-mapXXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    if (ftruncate(fd, 3 * 4096 + 100)) return 1;
    char *shared = mmap(NULL, 3 * 4096 + 100, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    strcpy(shared + 4096, "through the mapping");
    char text[32] = "";
    if (pread(fd, text, 20, 4096) != 20) return 1;
    printf("file: %s\n", text);
    char *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
    private[0] = 'T';
    printf("private %.7s shared %.7s tail %d\n", private, shared + 4096, shared[3 * 4096 + 200]);
    printf("msync %d\n", msync(shared, 4096, MS_SYNC));
    printf("odd offset: %s\n", result(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 100)));
    printf("zero length: %s\n", result(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    printf("bad descriptor: %s\n", result(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0)));

    char *common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fork() == 0) { strcpy(common, "from the child"); _exit(0); }
    wait(NULL);
    printf("shared: %s\n", common);

    char *start = break_at(0);
    printf("brk %d", break_at(start + 100000) == start + 100000);
    memset(start, 1, 100000);
    break_at(start);
    break_at(start + 100000);
    printf(" shrunk %d\n", break_at(0) == start + 100000 && start[99999] <= 1);

    char *area = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 'x', 4 * 4096);
    printf("dontneed %d", madvise(area, 4096, MADV_DONTNEED));
    printf(" zero %d kept %c\n", area[0], area[4096]);
    unsigned char vector[4];
    printf("mincore %d %d\n", mincore(area + 4096, 4096, vector), vector[0] & 1);
    printf("mprotect hole: %d %s\n", (munmap(area + 8192, 4096), mprotect(area + 4096, 8192, PROT_READ)), error_name(errno));
    printf("unaligned: %d %s\n", munmap(area + 1, 10), error_name(errno));
    void *blocks[200];
    for (int i = 0; i < 200; i++) { blocks[i] = malloc((size_t)(i * 7919) % 300000 + 1); memset(blocks[i], i, (size_t)(i * 7919) % 300000 + 1); }
    for (int i = 0; i < 200; i += 2) free(blocks[i]);
    for (int i = 1; i < 200; i += 2) { if (*(unsigned char *)blocks[i] != i) return 1; free(blocks[i]); }
    printf("malloc\n");
    return 0;
}
