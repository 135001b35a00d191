// A dynamically linked program: the loader found under -L, constructors, thread-local storage, lazy binding, dlopen and dlsym.
// link: dynamic
// libs: -lm -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static __thread int local = 5;
static int constructed;
__attribute__((constructor)) static void before(void) { constructed = 1; }
__attribute__((destructor)) static void after(void) { puts("destructor"); }
static void leave(void) { puts("atexit"); }
static void *thread(void *argument) { local += 10; return (void *)(long)(local + (argument != NULL)); }
static int count(struct dl_phdr_info *info, size_t size, void *data) { (void)size; *(int *)data += info->dlpi_name != NULL; return 0; }

int main(int argc, char **argv) {
    (void)argc;
    atexit(leave);
    printf("constructed %d, base %d\n", constructed, getauxval(AT_BASE) != 0);
    pthread_t t; void *r;
    pthread_create(&t, NULL, thread, argv);
    pthread_join(t, &r);
    printf("thread %ld main %d\n", (long)r, local);
    volatile double x = 0.5;
    printf("libm %.15f\n", sin(x) + pow(x, 1.5));
    void *library = dlopen("libm.so.6", RTLD_NOW);
    double (*function)(double) = (double (*)(double))dlsym(library, "cos");
    printf("dlsym %d %.6f\n", function != NULL, function ? function(x) : 0);
    void *missing = dlopen("libnone.so.1", RTLD_NOW);
    printf("missing %d %d\n", missing == NULL, strstr(dlerror(), "libnone.so.1") != NULL);
    int objects = 0;
    dl_iterate_phdr(count, &objects);
    printf("objects %d\n", objects >= 3);
    return 4;
}
