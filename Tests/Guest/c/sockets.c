// Sockets over loopback only: stream and datagram, socketpair, names, options, vectors with descriptors and credentials
// in control messages, shutdown, non-blocking connects, errors.
// guests: riscv32
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, b;
    printf("bind %d listen %d\n", bind(s, (void *)&a, sizeof a), listen(s, 5));
    socklen_t length = sizeof a;
    printf("name %d %s\n", getsockname(s, (void *)&a, &length), inet_ntoa(a.sin_addr));
    setvbuf(stdout, NULL, _IOLBF, 0);
    pid_t pid = fork();
    if (pid == 0) {
        int c = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c, (void *)&a, sizeof a)) _exit(1);
        char line[64]; ssize_t n;
        if (send(c, "question", 8, 0) != 8) _exit(2);
        n = recv(c, line, sizeof line, MSG_WAITALL);
        _exit(n == 6 && !memcmp(line, "answer", 6) ? 0 : 3);
    }
    length = sizeof b;
    int c = accept4(s, (void *)&b, &length, SOCK_CLOEXEC);
    char line[64] = "";
    printf("accept %d from %s\n", c >= 0, inet_ntoa(b.sin_addr));
    printf("recv %zd %s\n", recv(c, line, 8, MSG_WAITALL), line);
    printf("nodelay %d", setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    int value = 0; length = sizeof value;
    printf(" %d", getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &value, &length));
    printf(" %d\n", value != 0);
    struct iovec parts[2] = {{"ans", 3}, {"wer", 3}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    printf("sendmsg %zd shutdown %d\n", sendmsg(c, &m, 0), shutdown(c, SHUT_WR));
    int status;
    waitpid(pid, &status, 0);
    printf("client %d\n", WEXITSTATUS(status));

    int u[2];
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, u);
    int p[2];
    if (pipe(p)) return 1;
    union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = {0};
    struct iovec io = {"fd", 2};
    struct msghdr out = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    struct cmsghdr *h = CMSG_FIRSTHDR(&out);
    h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_RIGHTS; h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &p[1], sizeof(int));
    printf("send descriptor %zd\n", sendmsg(u[0], &out, 0));
    char small[8] = ""; struct iovec in = {small, 8};
    union { char space[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } received = {0};
    struct msghdr msg = {.msg_iov = &in, .msg_iovlen = 1, .msg_control = received.space, .msg_controllen = sizeof received.space};
    printf("receive %zd %s", recvmsg(u[1], &msg, 0), small);
    int passed = -1;
    h = CMSG_FIRSTHDR(&msg);
    if (h) memcpy(&passed, CMSG_DATA(h), sizeof(int));
    if (write(passed, "via", 3) != 3 || read(p[0], line, 3) != 3) return 1;
    printf(" works %.3s\n", line);
    struct ucred credentials; length = sizeof credentials;
    printf("peer %d", getsockopt(u[0], SOL_SOCKET, SO_PEERCRED, &credentials, &length));
    printf(" %d\n", credentials.pid == getpid());

    int d1 = socket(AF_INET, SOCK_DGRAM, 0), d2 = socket(AF_INET, SOCK_DGRAM, 0);
    a.sin_port = 0;
    bind(d1, (void *)&a, sizeof a);
    length = sizeof a;
    getsockname(d1, (void *)&a, &length);
    printf("sendto %zd\n", sendto(d2, "datagram", 8, 0, (void *)&a, sizeof a));
    length = sizeof b;
    ssize_t n = recvfrom(d1, line, sizeof line, 0, (void *)&b, &length);
    printf("recvfrom %zd %.8s %d\n", n, line, length == sizeof b);
    struct timeval timeout = {0, 20000};
    setsockopt(d1, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    n = recv(d1, line, 1, 0);
    printf("timeout %zd %s\n", n, strerror(errno));
    close(s);
    int refused = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_port = htons(1);
    printf("refused %d %s\n", connect(refused, (void *)&a, sizeof a), strerror(errno));
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    int us = socket(AF_UNIX, SOCK_STREAM, 0);
    printf("unix %d %s\n", connect(us, (void *)&un, sizeof un), strerror(errno));
    printf("family %d %s\n", socket(12345, SOCK_STREAM, 0), strerror(errno));
    return 0;
}
