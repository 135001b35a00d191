// Time: clocks go forward, sleeps last as long as asked, timers and resource usage, broken-down time of a fixed moment.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock) { struct timespec t; clock_gettime(clock, &t); return (double)t.tv_sec + (double)t.tv_nsec * 1e-9; }

int main(void) {
    int forward = 1;
    double last = now(CLOCK_MONOTONIC), start = last;
    for (int i = 0; i < 10000; i++) { double t = now(CLOCK_MONOTONIC); forward &= t >= last; last = t; }
    printf("monotonic %d\n", forward);
    struct timespec ts = {0, 30000000}, left;
    start = now(CLOCK_MONOTONIC);
    printf("nanosleep %d", nanosleep(&ts, &left));
    double slept = now(CLOCK_MONOTONIC) - start;
    printf(" %d\n", slept >= 0.03 && slept < 2);
    ts = (struct timespec){0, 2000000000};
    printf("bad %d %s\n", nanosleep(&ts, NULL), strerror(errno));
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 0; until.tv_nsec += 10000000;
    if (until.tv_nsec >= 1000000000) { until.tv_nsec -= 1000000000; until.tv_sec++; }
    printf("absolute %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
    struct timeval tv;
    gettimeofday(&tv, NULL);
    double wall = now(CLOCK_REALTIME);
    printf("wall %d %d\n", wall - (double)tv.tv_sec < 5 && wall > 1.5e9, time(NULL) - tv.tv_sec <= 1);
    start = now(CLOCK_PROCESS_CPUTIME_ID);
    volatile unsigned long x = 0;
    while (now(CLOCK_PROCESS_CPUTIME_ID) - start < 0.02) x++;
    struct rusage usage;
    printf("cpu %d rusage %d", x > 0, getrusage(RUSAGE_SELF, &usage));
    printf(" %d\n", usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec >= 20000);
    struct tms t;
    printf("times %d\n", times(&t) != (clock_t)-1);
    struct timespec resolution;
    printf("resolution %d %ld\n", clock_getres(CLOCK_MONOTONIC, &resolution), (long)resolution.tv_sec);
    time_t moment = 1234567890;
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", gmtime(&moment));
    printf("%s\n", text);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    printf("timer %d\n", timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec spec = {{0, 0}, {100, 0}}, current;
    timer_settime(timer, 0, &spec, NULL);
    timer_gettime(timer, &current);
    printf("remaining %d delete %d\n", current.it_value.tv_sec >= 98, timer_delete(timer));
    return 0;
}
