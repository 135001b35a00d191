// args: 1000
// A program whose time is spent where its names say: hot takes nine tenths, below middle; warm takes the rest.

#include <stdio.h>
#include <stdlib.h>

static volatile unsigned long sink;

__attribute__((noinline, noipa)) unsigned long hot(unsigned long rounds) {
    unsigned long x = rounds;
    for (unsigned long i = 0; i < rounds * 9; i++) x = x * 25214903917 + 11 + (x >> 17);
    return x;
}

__attribute__((noinline, noipa)) unsigned long middle(unsigned long rounds) { return hot(rounds) + 1; }

__attribute__((noinline, noipa)) unsigned long warm(unsigned long rounds) {
    unsigned long x = rounds;
    for (unsigned long i = 0; i < rounds; i++) x = x * 6364136223846793005 + 1442695040888963407 + (x >> 13);
    return x;
}

int main(int argc, char **argv) {
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
    // In pieces, so that every function is called often.
    for (int i = 0; i < 100; i++) sink += middle(rounds / 100) ^ warm(rounds / 100);
    printf("%lx\n", sink);
    return 0;
}
