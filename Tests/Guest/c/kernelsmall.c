// Library code on real data: sorting, searching, string functions, formatted input and output, wide characters, regex.
// guests: riscv32
#define _GNU_SOURCE
#include <ctype.h>
#include <locale.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
int main(void) {
    enum { N = 3000 };
    char *words[N];
    uint32_t seed = 12345;
    for (int i = 0; i < N; i++) {
        char word[16]; int length = 3 + (int)(seed >> 28);
        if (length > 14) length = 14;
        for (int k = 0; k < length; k++) { seed = seed * 1664525 + 1013904223; word[k] = (char)('a' + (seed >> 24) % 26); }
        word[length] = 0;
        words[i] = strdup(word);
    }
    qsort(words, N, sizeof *words, compare);
    printf("%s %s %s\n", words[0], words[N / 2], words[N - 1]);
    char *key = words[1234], **found = bsearch(&key, words, N, sizeof *words, compare);
    printf("found %d\n", found && !strcmp(*found, key));
    regex_t expression;
    regcomp(&expression, "^[aeiou].*[xyz]$", REG_EXTENDED);
    int hits = 0;
    for (int i = 0; i < N; i++) hits += regexec(&expression, words[i], 0, NULL, 0) == 0;
    printf("regex %d\n", hits);
    char buffer[4096]; size_t at = 0;
    for (int i = 0; i < 40; i++) at += (size_t)snprintf(buffer + at, sizeof buffer - at, "%s:%05d:%-6x:%+.3f;", words[i * 70], i * i, i * 4097, i / 7.0);
    uint64_t hash = 14695981039346656037ull;
    for (size_t i = 0; i < at; i++) hash = (hash ^ (unsigned char)buffer[i]) * 1099511628211ull;
    printf("text %zu %016llx\n", at, (unsigned long long)hash);
    int a; double d; char s[20];
    printf("scanf %d", sscanf("  -42 3.25e2 token rest", "%d %lf %19s", &a, &d, s));
    printf(" %d %g %s\n", a, d, s);
    for (size_t n = 0; n < 70; n++) {
        char x[80], y[80];
        memset(x, 'q', sizeof x); memset(y, 'q', sizeof y);
        memmove(x + 3, x, n); y[n] = 'r';
        hash = hash * 31 + (uint64_t)(memcmp(x, y, n + 1) < 0) + strnlen(x, n) + (size_t)((char *)memchr(y, 'r', 80) - y);
    }
    printf("memory %016llx\n", (unsigned long long)hash);
    wchar_t wide[32];
    setlocale(LC_ALL, "C.UTF-8");
    printf("wide %zu %d\n", mbstowcs(wide, "na\xc3\xafve \xe2\x82\xac", 32), (int)wide[2]);
    printf("numbers %ld %lu %lld\n", strtol("-0x7f", NULL, 0), strtoul("0777", NULL, 0), strtoll("99999999999999999999", NULL, 10));
#ifdef __SIZEOF_INT128__
    __int128 big = (__int128)0x123456789abcdef0 * 0x0fedcba987654321;
    printf("int128 %016llx %016llx\n", (unsigned long long)(big >> 64), (unsigned long long)(big / 1000003));
#endif
    return 0;
}
