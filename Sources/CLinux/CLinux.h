// What Swift cannot import from the C library by itself: raw system calls, prototypes hidden behind _GNU_SOURCE,
// variadic functions, and the kernel's own structure layouts. Header only. Never define _GNU_SOURCE here: it changes
// structures that the Glibc module has already imported.
#pragma once

#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/platform/x86.h>
#include <xmmintrin.h>
#endif

/// Kernel entry with six arguments. Returns the kernel's own result: a value, or -errno. Never touches errno.
static inline long clx_syscall(long number, long a0, long a1, long a2, long a3, long a4, long a5) {
#if defined(__x86_64__)
    register long r10 __asm__("r10") = a3;
    register long r8 __asm__("r8") = a4;
    register long r9 __asm__("r9") = a5;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#else
    long syscall(long number, ...);
    long result = syscall(number, a0, a1, a2, a3, a4, a5);
    return result == -1 ? -(long)errno : result;
#endif
}

/// Another environment for the C library (environ(7)): Swift imports the variable as one that cannot be set.
static inline void clx_set_environment(char **variables) {
    extern char **environ;
    environ = variables;
}

/// Instruction-set extensions that the processor has and the system has enabled, one bit each in the order of
/// `HostProcessor.names`. The C library has asked the processor already: in a virtual machine asking again is slow.
static inline uint32_t clx_processor_features(void) {
    uint32_t features = 0;
#if defined(__x86_64__)
    const int active[] = {
        CPU_FEATURE_ACTIVE(AVX2),  CPU_FEATURE_ACTIVE(FMA),   CPU_FEATURE_ACTIVE(BMI1),
        CPU_FEATURE_ACTIVE(BMI2),  CPU_FEATURE_ACTIVE(LZCNT), CPU_FEATURE_ACTIVE(MOVBE),
        CPU_FEATURE_ACTIVE(F16C),  CPU_FEATURE_ACTIVE(PCLMULQDQ), CPU_FEATURE_ACTIVE(CMPXCHG16B),
    };
    for (unsigned i = 0; i < sizeof active / sizeof active[0]; i++) features |= (uint32_t)(active[i] != 0) << i;
#endif
    return features;
}

/// The kernel's struct sigaction (not the C library's): rt_sigaction(2) takes this layout.
struct clx_kernel_sigaction {
    uintptr_t handler;
    uint64_t flags;
    uintptr_t restorer;
    uint64_t mask;
};

/// A few pointers per thread, readable from a signal handler. The storage belongs to the one Swift file that calls
/// this function: a static of an imported inline function exists once per object file.
static inline void **clx_thread_slot(void) {
    static __thread void *slots[2];
    return slots;
}

/// Host floating-point control and status, as generated code and helpers see it.
static inline uint32_t clx_get_fp_status(void) {
#if defined(__x86_64__)
    return _mm_getcsr();
#else
    return 0;
#endif
}
static inline void clx_set_fp_status(uint32_t value) {
#if defined(__x86_64__)
    _mm_setcsr(value);
#else
    (void)value;
#endif
}

/// Whether the C library takes the process for one with a single thread.
static inline int clx_is_single_threaded(void) { return __libc_single_threaded; }

/// Waiting hint for spin loops.
static inline void clx_pause(void) {
#if defined(__x86_64__)
    _mm_pause();
#endif
}

// Prototypes that glibc hides unless _GNU_SOURCE is defined.
int memfd_create(const char *name, unsigned flags);
int pipe2(int fds[2], int flags);
int accept4(int fd, struct sockaddr *address, unsigned *length, int flags);
long getrandom(void *buffer, unsigned long length, unsigned flags);

/// Enters the kernel with a clone that shares memory. The child calls `body` on the stack that the arguments name; it never returns.
/// Returns the kernel's own result in the parent: the child's id, or -errno.
static inline long clx_clone_sharing(long number, long a0, long a1, long a2, long a3, long a4, void (*body)(void *),
                                     void *argument) {
#if defined(__x86_64__)
    register long r10 __asm__("r10") = a3;
    register long r8 __asm__("r8") = a4;
    register void (*r12)(void *) __asm__("r12") = body;
    register void *r13 __asm__("r13") = argument;
    long result;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "a"(number), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r12), "r"(r13)
                     : "rcx", "r11", "memory");
    return result;
#else
    return -(long)ENOSYS;
#endif
}

#define CLX_MFD_CLOEXEC 1
#define CLX_MFD_ALLOW_SEALING 2
#define CLX_SA_RESTORER 0x04000000

/// Bytes that hold any socket's address.
static const int clx_address_room = sizeof(struct sockaddr_storage);

/// Looks a host's name and a port up (getaddrinfo(3)); a static program must not do that. An empty host is any of this machine's addresses. NULL: the
/// first address is at `address`. Else what is wrong.
static inline const char *clx_resolve(const char *host, const char *port, int datagrams, int passive, void *address, int *family, int *count) {
    struct addrinfo hints, *list = 0;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = datagrams ? SOCK_DGRAM : SOCK_STREAM;
    hints.ai_flags = passive ? AI_PASSIVE : 0;
    hints.ai_family = *host ? AF_UNSPEC : AF_INET;
    int status = getaddrinfo(*host ? host : 0, port, &hints, &list);
    if (status) return gai_strerror(status);
    memcpy(address, list->ai_addr, list->ai_addrlen);
    *family = list->ai_family;
    *count = (int)list->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}
