// guests: moxie riscv32
// The C library's memory and string functions over all small sizes and alignments, sorting, allocation: checksums, the same on all
// machines.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed = 2463534242u;
static uint32_t rnd(void) { seed ^= seed << 13; seed ^= seed >> 17; seed ^= seed << 5; return seed; }
static uint64_t hash;
static void mix(uint64_t v) { hash = (hash ^ v) * 1099511628211ull; hash ^= hash >> 29; }
static unsigned char a[160], b[160];
static void mixall(void) { for (unsigned i = 0; i < sizeof a; i++) mix(a[i]); }
static int sign(int v) { return (v > 0) - (v < 0); }
static int by_value(const void *x, const void *y) { uint32_t p = *(const uint32_t *)x, q = *(const uint32_t *)y; return (p > q) - (p < q); }
struct item { struct item *next; uint16_t key; uint8_t bytes[5]; };

int main(void) {
    for (unsigned i = 0; i < sizeof a; i++) { a[i] = (unsigned char)rnd(); b[i] = (unsigned char)rnd(); }
    for (int to = 0; to < 9; to++)
        for (int from = 0; from < 9; from++)
            for (int n = 0; n < 41; n += 1 + n / 9) {
                memcpy(a + to, b + from, (size_t)n);
                memmove(a + from + 20, a + to + 22, (size_t)n);
                memset(a + to + 90, n * 7 + from, (size_t)n);
                mix((uint64_t)(sign(memcmp(a + from, b + to, (size_t)n)) + 1));
                if (n % 8 == 0) mixall();
            }
    printf("copies %016llx\n", (unsigned long long)hash);
    hash = 0;
    char text[64], other[64];
    for (int n = 0; n < 60; n++) {
        for (int i = 0; i < n; i++) text[i] = (char)('a' + rnd() % 26);
        text[n] = 0;
        strcpy(other, text);
        if (n) other[rnd() % (unsigned)n] ^= 1;
        mix(strlen(text)); mix((uint64_t)(sign(strcmp(text, other)) + 1)); mix((uint64_t)(sign(strncmp(text, other, 5)) + 1));
        const char *found = strchr(text, 'e'), *last = strrchr(text, 'e'), *in = strstr(text, "a");
        mix((uint64_t)(found ? found - text : -1)); mix((uint64_t)(last ? last - text : -1)); mix((uint64_t)(in ? in - text : -1));
        mix(strspn(text, "abcdefgh")); mix(strcspn(text, "xyz"));
    }
    printf("strings %016llx\n", (unsigned long long)hash);
    hash = 0;
    static uint32_t values[3000];
    for (int i = 0; i < 3000; i++) values[i] = rnd();
    qsort(values, 3000, sizeof *values, by_value);
    for (int i = 0; i < 3000; i++) mix(values[i]);
    uint32_t key = values[1234], *at = bsearch(&key, values, 3000, sizeof *values, by_value);
    printf("sorted %016llx %d\n", (unsigned long long)hash, at ? (int)(at - values) : -1);
    hash = 0;
    struct item *lists[64] = {0};
    for (int i = 0; i < 4000; i++) {
        unsigned n = rnd() % 64;
        if (rnd() % 3 && lists[n]) {
            struct item *gone = lists[n];
            lists[n] = gone->next;
            mix(gone->key + gone->bytes[gone->key % 5]);
            free(gone);
        } else {
            struct item *made = calloc(1, sizeof *made);
            made->next = lists[n]; made->key = (uint16_t)rnd(); made->bytes[made->key % 5] = (uint8_t)i;
            lists[n] = made;
        }
    }
    printf("lists %016llx\n", (unsigned long long)hash);
    // A packed word's bytes, wherever it lies; numbers as text and back.
    hash = 0;
    struct __attribute__((packed)) { uint8_t a; uint16_t b; uint32_t c; uint64_t d; } packed = {1, 0x2345, 0x6789abcd, 0xef0123456789abcdull};
    for (int i = 0; i < 100; i++) { packed.b += 0x101; packed.c ^= packed.b; packed.d += packed.c; packed.a = (uint8_t)packed.d; }
    printf("packed %u %u %u %016llx\n", packed.a, packed.b, (unsigned)packed.c, (unsigned long long)packed.d);
    printf("numbers %d %llu %d\n", atoi("-123x"), strtoull("0xfedcba9876543210", 0, 0), (int)strtol("777", 0, 8));
    return 0;
}
