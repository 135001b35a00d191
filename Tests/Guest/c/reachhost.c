// Loads from an address that somebody else writes into a file, and stores what it has read beside it: a guest program reaches all of
// the process's memory. Without an argument it only says so.
// guests: riscv32
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count < 2) { puts("no address"); return 0; }
    for (int i = 0; i < 1000; i++) {
        char text[32] = {0};
        int fd = open(arguments[1], O_RDONLY);
        if (fd >= 0 && read(fd, text, 31) > 2) {
            printf("%lx\n", *(volatile unsigned long *)strtoul(text, 0, 16));
            return 0;
        }
        if (fd >= 0) close(fd);
        usleep(10000);
    }
    return 1;
}
