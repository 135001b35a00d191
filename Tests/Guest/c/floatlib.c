// The C library's view of floating point: fesetround, feraiseexcept and flags, printing, and functions of libm.
// cflags: -frounding-math
// libs: -lm
// guests: riscv32
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    volatile double one = 1, three = 3, big = 1e308, tiny = DBL_MIN;
    volatile float f1 = 1, f3 = 3;
    for (int i = 0; i < 4; i++) {
        fesetround(modes[i]);
        printf("mode %d: %.17g %.17g %.9g %ld %ld %a\n", fegetround() == modes[i], one / three, -one / three, (double)(f1 / f3),
            lrint(2.5), lrint(-1.5), nearbyint(-0.5));
    }
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double r = one / 0.0;
    printf("div %x\n", fetestexcept(FE_ALL_EXCEPT)); feclearexcept(FE_ALL_EXCEPT);
    r = big * big;
    printf("over %x %g\n", fetestexcept(FE_ALL_EXCEPT), r); feclearexcept(FE_ALL_EXCEPT);
    r = tiny / three;
    printf("under %x %.17g\n", fetestexcept(FE_ALL_EXCEPT), r); feclearexcept(FE_ALL_EXCEPT);
    r = sqrt(-one);
    printf("invalid %x %d\n", fetestexcept(FE_ALL_EXCEPT), isnan(r) != 0); feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept(FE_OVERFLOW | FE_INVALID);
    printf("raised %x\n", fetestexcept(FE_ALL_EXCEPT));
    fenv_t saved;
    feholdexcept(&saved);
    printf("held %x\n", fetestexcept(FE_ALL_EXCEPT));
    r = one / three;
    feupdateenv(&saved);
    printf("updated %x\n", fetestexcept(FE_ALL_EXCEPT));
    double sum = 0;
    for (int i = 1; i < 2000; i++)
        sum += sin(i * 0.01) * exp(-i * 0.001) + log(i) / sqrt(i) + pow(1.0001, i) + atan2(i, 7) + cbrt(i) + fmod(i * 1.7, 0.3) + tgamma(1 + i % 5 * 0.5);
    printf("libm %.15e %.9e\n", sum, (double)sinf(1.5f) + expf(0.25f) + powf(1.5f, 2.5f));
    printf("print %a %.3e %g %.40g %s\n", 0.1, 123456.789, 1e-320, 0.1, "end");
    printf("strtod %.17g %.17g %.17g\n", strtod("1e23", NULL), strtod("2.2250738585072011e-308", NULL), strtod("0x1.8p-1074", NULL));
    long double q = 1.0L / 3.0L;
    printf("quad %.33Lg %La\n", q, q * q);
    printf("round %g %g %g %g %g %ld\n", round(-2.5), floor(-0.2), ceil(0.2), trunc(-7.9), rint(3.5), lround(2.5));
    return 0;
}
