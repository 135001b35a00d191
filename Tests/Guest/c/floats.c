// guests: moxie riscv32
// Arithmetic, comparisons and conversions of float and double as C has them, in software where the machine has no other. Results
// as bits; NaNs count as one.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const double edge[] = {
    0, -0.0, 1, -1, 0.5, 1.5, 2.5, -3.75, 0.1, 1e-5, 123456.789, -2147483648.0, 4294967295.0, 9007199254740993.0, 1e18, 1e-310,
    4.9406564584124654e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 3.4028234663852886e38, 1.17549435e-38, 1e-45,
    1.0000000596046448, 1.0000001192092896, INFINITY, -INFINITY, NAN,
};
enum { COUNT = sizeof edge / sizeof *edge };
static uint64_t hash;
static void mix(uint64_t v) { hash = (hash ^ v) * 1099511628211ull; hash ^= hash >> 29; }
static void mixd(double v) { uint64_t bits; memcpy(&bits, &v, 8); mix(v != v ? 1 : bits); }
static void mixf(float v) { uint32_t bits; memcpy(&bits, &v, 4); mix(v != v ? 1 : bits); }

int main(void) {
    volatile double a, b;
    volatile float c, d;
    hash = 0;
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) {
            a = edge[i]; b = edge[j];
            mixd(a + b); mixd(a - b); mixd(a * b); mixd(a / b); mixd(-a);
            mix((uint64_t)((a == b) | (a != b) << 1 | (a < b) << 2 | (a <= b) << 3 | (a > b) << 4 | (a >= b) << 5));
        }
    printf("double %016llx\n", (unsigned long long)hash);
    hash = 0;
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) {
            c = (float)edge[i]; d = (float)edge[j];
            mixf(c + d); mixf(c - d); mixf(c * d); mixf(c / d); mixf(-c);
            mix((uint64_t)((c == d) | (c != d) << 1 | (c < d) << 2 | (c <= d) << 3 | (c > d) << 4 | (c >= d) << 5));
        }
    printf("float %016llx\n", (unsigned long long)hash);
    hash = 0;
    for (int i = 0; i < COUNT; i++) {
        a = edge[i]; c = (float)a;
        mixf((float)a); mixd((double)c);
        // Only what fits is defined.
        if (a > -2147483649.0 && a < 2147483648.0) mix((uint64_t)(int32_t)a);
        if (a > -1 && a < 4294967296.0) mix((uint32_t)a);
        if (a > -9.2e18 && a < 9.2e18) mix((uint64_t)(int64_t)a);
        if (a > -1 && a < 1.8e19) mix((uint64_t)a);
        if (c > -2147483648.0f && c < 2147483648.0f) mix((uint64_t)(int32_t)c);
        if (c > -9.2e18f && c < 9.2e18f) mix((uint64_t)(int64_t)c);
    }
    static const uint64_t whole[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 16777217, 9007199254740993, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffc00};
    for (unsigned i = 0; i < sizeof whole / sizeof *whole; i++) {
        uint64_t w = whole[i];
        mixd((double)w); mixd((double)(int64_t)w); mixd((double)(uint32_t)w); mixd((double)(int32_t)w);
        mixf((float)w); mixf((float)(int64_t)w); mixf((float)(uint32_t)w); mixf((float)(int32_t)w);
    }
    printf("conversions %016llx\n", (unsigned long long)hash);
    double sum = 0, term = 1;
    for (int i = 1; i < 30; i++) { sum += term; term /= i; }
    printf("series %.17g %g %.3f %e\n", sum, 1e100, -2.0005, 0.000123);
    return 0;
}
