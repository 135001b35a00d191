// Socket options, control messages, and requests about interfaces, on the loopback device.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static void say(const char *what, long value) {
    printf("%s: %s\n", what, value < 0 && errno ? strerrorname_np(errno) : "ok");
    errno = 0;
}

static int bound(int type, struct sockaddr_in *address) {
    int fd = socket(AF_INET, type, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)address, length) || getsockname(fd, (struct sockaddr *)address, &length)) return -1;
    return fd;
}

// Every option of a level, read with room for much, for a little, and for nothing: lengths and errors.
static void readAll(const char *what, int fd, int level, int count) {
    for (int option = 0; option < count; option++) {
        // Times, memory and what the machine has; and those that take what is there away.
        if (level == SOL_SOCKET && (option == SO_ERROR || option == 49 || option == 57 || option == 77)) continue;
        printf("%s %d:", what, option);
        const int sizes[] = {256, 4, 1, 0, -1};
        for (int i = 0; i < 5; i++) {
            char value[256] = "";
            socklen_t length = sizes[i];
            errno = 0;
            int result = getsockopt(fd, level, option, value, &length);
            printf(" %s %d", result ? strerrorname_np(errno) : "ok", (int)length);
        }
        socklen_t length = 16;
        errno = 0;
        printf(" %s", getsockopt(fd, level, option, (void *)8, &length) ? strerrorname_np(errno) : "ok");
        errno = 0;
        printf(" %s\n", getsockopt(fd, level, option, &length, (void *)8) ? strerrorname_np(errno) : "ok");
    }
}

static void writeAll(const char *what, int fd, int level, int count) {
    for (int option = 0; option < count; option++) {
        printf("%s %d:", what, option);
        const int sizes[] = {0, 1, 4, -1, 1 << 20};
        for (int i = 0; i < 5; i++) {
            errno = 0;
            printf(" %s", setsockopt(fd, level, option, (void *)8, sizes[i]) ? strerrorname_np(errno) : "ok");
        }
        printf("\n");
    }
}

static void datagrams(void) {
    struct sockaddr_in address, other;
    int to = bound(SOCK_DGRAM, &address), from = bound(SOCK_DGRAM, &other), one = 1;
    char buffer[2000];
    struct sock_filter none[] = {{BPF_RET | BPF_K, 0, 0, 0}}, all[] = {{BPF_RET | BPF_K, 0, 0, 0xffff}};
    struct sock_fprog dropping = {1, none}, passing = {1, all};
    say("filter", setsockopt(to, SOL_SOCKET, SO_ATTACH_FILTER, &dropping, sizeof dropping));
    sendto(from, "x", 1, 0, (struct sockaddr *)&address, sizeof address);
    say("dropped", recv(to, buffer, 10, MSG_DONTWAIT));
    say("other filter", setsockopt(to, SOL_SOCKET, SO_ATTACH_FILTER, &passing, sizeof passing));
    sendto(from, "x", 1, 0, (struct sockaddr *)&address, sizeof address);
    say("passed", recv(to, buffer, 10, MSG_DONTWAIT));
    socklen_t length = 1;
    say("filter read", getsockopt(to, SOL_SOCKET, SO_GET_FILTER, all, &length));
    say("filter off", setsockopt(to, SOL_SOCKET, SO_DETACH_FILTER, &one, 4));
    setsockopt(to, IPPROTO_IP, IP_PKTINFO, &one, 4);
    setsockopt(to, IPPROTO_IP, IP_RECVTTL, &one, 4);
    setsockopt(to, SOL_SOCKET, SO_TIMESTAMPNS, &one, 4);
    setsockopt(from, IPPROTO_IP, IP_RECVERR, &one, 4);
    sendto(from, "abcdef", 6, 0, (struct sockaddr *)&address, sizeof address);
    char control[300];
    struct iovec part = {buffer, 3};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    long size = recvmsg(to, &message, MSG_TRUNC);
    int count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) count++;
    printf("message %ld flags %x parts %d\n", size, message.msg_flags, count);
    struct sockaddr_in dead = address, name;
    dead.sin_port = htons(1);
    sendto(from, "x", 1, 0, (struct sockaddr *)&dead, sizeof dead);
    struct pollfd waiting = {from, POLLERR, 0};
    poll(&waiting, 1, 500);
    message = (struct msghdr){.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    size = recvmsg(from, &message, MSG_ERRQUEUE);
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    printf("error queue %ld %d\n", size, size >= 0 && first ? (int)((struct sock_extended_err *)CMSG_DATA(first))->ee_errno : -1);
    struct linger linger = {1, 0};
    struct timeval soon = {0, 1000};
    say("linger", setsockopt(from, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    say("timeout", setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
    say("too late", recv(to, buffer, 1, 0));
    say("no value", setsockopt(to, SOL_SOCKET, SO_RCVBUF, NULL, 4));
    readAll("socket", to, SOL_SOCKET, 90);
    readAll("ip", to, IPPROTO_IP, 60);
    writeAll("socket", to, SOL_SOCKET, 90);
    writeAll("ip", to, IPPROTO_IP, 60);
}

static void streams(void) {
    struct sockaddr_in address;
    int server = bound(SOCK_STREAM, &address), client = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    listen(server, 5);
    say("connect", connect(client, (struct sockaddr *)&address, sizeof address));
    int peer = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct tcp_info information;
    socklen_t length = sizeof information;
    say("tcp_info", getsockopt(client, IPPROTO_TCP, TCP_INFO, &information, &length));
    printf("state %d\n", information.tcpi_state);
    say("out of band", send(client, "!", 1, MSG_OOB));
    struct pollfd waiting = {peer, POLLPRI, 0};
    poll(&waiting, 1, 500);
    say("mark", ioctl(peer, SIOCATMARK, &one));
    say("congestion control", setsockopt(client, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    say("upper protocol", setsockopt(client, IPPROTO_TCP, TCP_ULP, "none", 4));
    int queued = -1;
    say("queued", ioctl(client, 0x5411, &queued));
    say("not sent", ioctl(client, 0x894b, &queued));
    say("readable", ioctl(peer, FIONREAD, &queued));
    printf("%d\n", queued);
    // 23 and 38 are about memory, 11 has counters.
    writeAll("tcp", client, IPPROTO_TCP, 45);
}

static void local(void) {
    int pair[2], one = 1;
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, 4);
    char control[CMSG_SPACE(8)], got[300], byte[3] = "abc";
    struct iovec part = {byte, 3};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *rights = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(8)};
    int fds[2] = {0, 1}, kinds = 0;
    memcpy(CMSG_DATA(rights), fds, 8);
    say("descriptors", sendmsg(pair[0], &message, 0));
    message.msg_control = got;
    message.msg_controllen = sizeof got;
    long size = recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) kinds += c->cmsg_type;
    printf("received %ld %d\n", size, kinds);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t length = sizeof name;
    say("a name of the kernel's", bind(fd, (struct sockaddr *)&name, 2));
    getsockname(fd, (struct sockaddr *)&name, &length);
    printf("%d\n", (int)length);
    say("file of it", ioctl(fd, 0x89e0, 0));
    readAll("local", pair[0], SOL_SOCKET, 90);
}

static void netlink(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), one = 1;
    struct { struct nlmsghdr head; struct rtgenmsg body; } request = {{NLMSG_LENGTH(sizeof(struct rtgenmsg)), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
    say("request", send(fd, &request, request.head.nlmsg_len, 0));
    static char answer[65536];
    long size = recv(fd, answer, sizeof answer, 0);
    printf("answer %d\n", size > 0 && ((struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWLINK);
    say("strict", setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, 4));
    int group = RTNLGRP_LINK;
    say("member", setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, 4));
    readAll("netlink", fd, SOL_NETLINK, 14);
}

static void interfaces(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    // Those that only read, of an interface that is there and of one that is not.
    const int requests[] = {0x8910, 0x8913, 0x8915, 0x8917, 0x8919, 0x891b, 0x891d, 0x8921, 0x8927, 0x8933, 0x8938, 0x8942, 0x8947, 0x8948, 0x8970, 0x8990};
    for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct ifreq request = {.ifr_name = "lo"}, missing = {.ifr_name = "missing0"};
        request.ifr_ifindex = missing.ifr_ifindex = 1;
        printf("%x: %s", requests[i], ioctl(fd, requests[i], &request) ? strerrorname_np(errno) : "ok");
        printf(" %s", ioctl(fd, requests[i], &missing) ? strerrorname_np(errno) : "ok");
        printf(" %s\n", ioctl(fd, requests[i], 8) ? strerrorname_np(errno) : "ok");
    }
    // SIOCETHTOOL: ETHTOOL_GDRVINFO, ETHTOOL_GLINK, ETHTOOL_GFEATURES and an unknown one
    const uint32_t commands[] = {3, 10, 0x3a, 0xffff};
    for (int i = 0; i < 4; i++) {
        struct { uint32_t command; char data[400]; } tool = {.command = commands[i]};
        struct ifreq request = {.ifr_name = "lo", .ifr_data = (void *)&tool};
        printf("tool %x: %s", commands[i], ioctl(fd, 0x8946, &request) ? strerrorname_np(errno) : "ok");
        if (commands[i] == 3) printf(" %.31s", tool.data);
        request.ifr_data = (void *)8;
        printf(" %s", ioctl(fd, 0x8946, &request) ? strerrorname_np(errno) : "ok");
        request.ifr_data = NULL;
        printf(" %s\n", ioctl(fd, 0x8946, &request) ? strerrorname_np(errno) : "ok");
    }
    struct ifconf list = {.ifc_len = 0, .ifc_buf = NULL};
    int failed = ioctl(fd, SIOCGIFCONF, &list);
    printf("list %s %d\n", failed ? strerrorname_np(errno) : "ok", list.ifc_len > 0);
    list = (struct ifconf){.ifc_len = 4096, .ifc_buf = (void *)8};
    printf("list nowhere %s\n", ioctl(fd, SIOCGIFCONF, &list) ? strerrorname_np(errno) : "ok");
    list.ifc_len = -1;
    printf("list of less than nothing %s\n", ioctl(fd, SIOCGIFCONF, &list) ? strerrorname_np(errno) : "ok");
    say("route", ioctl(fd, 0x890b, 8));
    say("neighbour", ioctl(fd, 0x8954, 8));
    say("bridge", ioctl(fd, 0x89a0, 8));
    say("wireless", ioctl(fd, 0x8b01, 8));
    say("network", ioctl(fd, 0x894c, 0));
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    datagrams();
    streams();
    local();
    netlink();
    interfaces();
    return 0;
}
