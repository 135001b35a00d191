// Misaligned loads and stores of every width at every offset, also across pages, and a checksum of the memory after them.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

typedef uint16_t __attribute__((aligned(1), may_alias)) u16;
typedef uint32_t __attribute__((aligned(1), may_alias)) u32;
typedef uint64_t __attribute__((aligned(1), may_alias)) u64;

static inline uint64_t load(const unsigned char *p, int width) {
    uint64_t v;
    switch (width) {
        case 2: __asm__ volatile("lhu %0, 0(%1)" : "=r"(v) : "r"(p)); return v;
        case 4: __asm__ volatile("lwu %0, 0(%1)" : "=r"(v) : "r"(p)); return v;
        default: __asm__ volatile("ld %0, 0(%1)" : "=r"(v) : "r"(p)); return v;
    }
}
static inline void store(unsigned char *p, int width, uint64_t v) {
    switch (width) {
        case 2: __asm__ volatile("sh %0, 0(%1)" : : "r"(v), "r"(p) : "memory"); break;
        case 4: __asm__ volatile("sw %0, 0(%1)" : : "r"(v), "r"(p) : "memory"); break;
        default: __asm__ volatile("sd %0, 0(%1)" : : "r"(v), "r"(p) : "memory");
    }
}

int main(void) {
    unsigned char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t hash = 14695981039346656037ull, seed = 1;
    for (int i = 0; i < 3 * 4096; i++) p[i] = (unsigned char)(i * 37 + (i >> 8));
    for (int width = 2; width <= 8; width *= 2)
        for (int at = 4096 - 16; at < 4096 + 16; at++) {
            hash = (hash ^ load(p + at, width)) * 1099511628211ull;
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            store(p + at + 4096, width, seed);
            hash = (hash ^ load(p + at + 4095, 8)) * 1099511628211ull;
        }
    printf("%016llx\n", (unsigned long long)hash);
    double d = 1.5; float f = -2.25f;
    memcpy(p + 4093, &d, 8); memcpy(p + 8189, &f, 4);
    __asm__ volatile("fld ft0, 0(%0)\nflw ft1, 0(%1)\nfsd ft0, 5(%0)\nfsw ft1, 6(%1)" : : "r"(p + 4093), "r"(p + 8189) : "ft0", "ft1", "memory");
    memcpy(&d, p + 4098, 8); memcpy(&f, p + 8195, 4);
    printf("%g %g\n", d, f);
    return 0;
}
