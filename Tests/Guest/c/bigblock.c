// Very long straight-line code, with many values alive at once: more than a block may hold, more than a host has
// registers, also in floating point.
// guests: riscv32-O0
#include <stdint.h>
#include <stdio.h>

#define STEP(i) a += b * (i); b ^= c >> 3; c += d ^ (i); d = d * 5 + e; e -= f; f ^= g << 2; g += h; h = h * 3 + a; \
    k ^= a; l += b; m -= c; n ^= d; o += e; p -= f; q ^= g; r += h;
#define TEN(i) STEP(i) STEP(i + 1) STEP(i + 2) STEP(i + 3) STEP(i + 4) STEP(i + 5) STEP(i + 6) STEP(i + 7) STEP(i + 8) STEP(i + 9)
#define HUNDRED(i) TEN(i) TEN(i + 10) TEN(i + 20) TEN(i + 30) TEN(i + 40) TEN(i + 50) TEN(i + 60) TEN(i + 70) TEN(i + 80) TEN(i + 90)
#define FSTEP(i) fa += fb * 0.5 + (i); fb -= fc * 0.25; fc += fd * 0.125; fd = fd * 0.5 + fe; fe -= ff; ff += fg * 0.75; fg += fh * 0.001; fh = fh * 0.5 + fa * 0.001;
#define FTEN(i) FSTEP(i) FSTEP(i + 1) FSTEP(i + 2) FSTEP(i + 3) FSTEP(i + 4) FSTEP(i + 5) FSTEP(i + 6) FSTEP(i + 7) FSTEP(i + 8) FSTEP(i + 9)

int main(void) {
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, k = 0, l = 0, m = 0, n = 0, o = 0, p = 0, q = 0, r = 0;
    double fa = 1, fb = 2, fc = 3, fd = 4, fe = 5, ff = 6, fg = 7, fh = 8;
    for (int round = 0; round < 200; round++) {
        HUNDRED(0) HUNDRED(100) HUNDRED(200)
        FTEN(0) FTEN(10) FTEN(20) FTEN(30)
        fa *= 1e-3; fb *= 1e-3; fc *= 1e-3; fd *= 1e-3; fe *= 1e-3; ff *= 1e-3; fg *= 1e-3; fh *= 1e-3;
    }
    printf("%016llx\n", (unsigned long long)(a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ k ^ l ^ m ^ n ^ o ^ p ^ q ^ r));
    printf("%.12e\n", fa + fb + fc + fd + fe + ff + fg + fh);
    return 0;
}
