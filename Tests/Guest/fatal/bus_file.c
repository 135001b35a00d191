// Reads a file mapping past the end of the file: ends by SIGBUS.
#define _GNU_SOURCE
#include <sys/mman.h>
int main(void) { int fd = memfd_create("empty", 0); volatile char *p = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0); return p[0]; }
