// args: 1000
// A program whose time is spent where its names say: hot takes nine tenths, below middle; warm takes the rest.
// guests: riscv32

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static volatile uint64_t sink;

__attribute__((noinline, noipa)) uint64_t hot(uint64_t rounds) {
    uint64_t x = rounds;
    for (uint64_t i = 0; i < rounds * 9; i++) x = x * 25214903917 + 11 + (x >> 17);
    return x;
}

__attribute__((noinline, noipa)) uint64_t middle(uint64_t rounds) { return hot(rounds) + 1; }

__attribute__((noinline, noipa)) uint64_t warm(uint64_t rounds) {
    uint64_t x = rounds;
    for (uint64_t i = 0; i < rounds; i++) x = x * 6364136223846793005 + 1442695040888963407 + (x >> 13);
    return x;
}

int main(int argc, char **argv) {
    uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000;
    // In pieces, so that every function is called often.
    for (int i = 0; i < 100; i++) sink += middle(rounds / 100) ^ warm(rounds / 100);
    printf("%llx\n", (unsigned long long)sink);
    return 0;
}
