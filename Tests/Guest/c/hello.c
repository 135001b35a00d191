// guests: moxie riscv32
// The smallest useful program, by the same name in every test of options and of bad inputs that needs a good program.
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    printf("hello, world\n");
    for (int i = 1; i < argc; i++) printf("[%s] %s\n", argv[i], getenv(argv[i]) ? getenv(argv[i]) : "unset");
    return 0;
}
