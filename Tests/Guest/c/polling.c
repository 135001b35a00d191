// Waiting for descriptors: poll, ppoll, select, pselect, epoll (level, edge, one-shot), eventfd, timerfd, signalfd, inotify.
// guests: riscv32
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

int main(void) {
    int p[2];
    if (pipe2(p, O_NONBLOCK)) return 1;
    struct pollfd fds[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
    printf("poll %d", poll(fds, 2, 0));
    printf(" %x %x\n", fds[0].revents, fds[1].revents);
    if (write(p[1], "abc", 3) != 3) return 1;
    printf("poll %d", poll(fds, 2, -1));
    printf(" %x %x\n", fds[0].revents, fds[1].revents);
    fd_set set;
    FD_ZERO(&set); FD_SET(p[0], &set);
    struct timeval tv = {1, 0};
    printf("select %d", select(p[0] + 1, &set, NULL, NULL, &tv));
    printf(" %d\n", FD_ISSET(p[0], &set));
    int e = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, got[4];
    printf("epoll_ctl %d\n", epoll_ctl(e, EPOLL_CTL_ADD, p[0], &event));
    printf("again %d %s\n", epoll_ctl(e, EPOLL_CTL_ADD, p[0], &event), strerror(errno));
    printf("epoll_wait %d", epoll_wait(e, got, 4, 1000));
    printf(" %x %llx\n", got[0].events, (unsigned long long)got[0].data.u64);
    event.events = EPOLLIN | EPOLLET; event.data.u64 = 5;
    epoll_ctl(e, EPOLL_CTL_MOD, p[0], &event);
    int first = epoll_wait(e, got, 4, 0), second = epoll_wait(e, got, 4, 0);
    printf("edge %d %d\n", first, second);
    char buffer[8];
    printf("read %zd", read(p[0], buffer, 8));
    printf(" then %zd %s\n", read(p[0], buffer, 8), strerror(errno));
    int ev = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
    uint64_t v = 0; int reads = 0;
    while (read(ev, &v, 8) == 8) reads++;
    printf("eventfd %d reads of %llu\n", reads, (unsigned long long)v);
    int t = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec spec = {{0, 5000000}, {0, 5000000}};
    timerfd_settime(t, 0, &spec, NULL);
    event.events = EPOLLIN | EPOLLONESHOT; event.data.fd = t;
    epoll_ctl(e, EPOLL_CTL_ADD, t, &event);
    int n = epoll_wait(e, got, 4, 2000);
    printf("timerfd %d %d %zd %d\n", n, got[0].data.fd == t, read(t, &v, 8), v >= 1);
    usleep(8000);
    printf("one shot %d\n", epoll_wait(e, got, 4, 0));
    sigset_t mask;
    sigemptyset(&mask); sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    int s = signalfd(-1, &mask, 0);
    raise(SIGUSR1);
    struct signalfd_siginfo info;
    ssize_t size = read(s, &info, sizeof info);
    printf("signalfd %zd %d\n", size, info.ssi_signo == SIGUSR1);
    struct timespec ts = {0, 1000000};
    fds[0].revents = 0;
    n = ppoll(fds, 1, &ts, &mask);
    printf("ppoll %d\n", n);
    close(p[1]);
    fds[0].events = POLLIN;
    n = poll(fds, 1, 100);
    printf("hang-up %d %x\n", n, fds[0].revents);
    return 0;
}
