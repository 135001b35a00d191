// liburing has much of itself in inline functions of its headers, which use what Swift does not import.
#include <liburing.h>

enum clx_ring_call { CLX_RING_READ, CLX_RING_WRITE, CLX_RING_FLUSH };

// The file of the ring; minus an errno on failure.
static inline int clx_ring_open(struct io_uring *ring, unsigned entries) {
    int status = io_uring_queue_init(entries, ring, IORING_SETUP_CLAMP);
    return status < 0 ? status : ring->ring_fd;
}

// 0; 1: the ring is full; minus an errno. `takes_long`: a thread of the kernel's does it from the beginning.
static inline int clx_ring_submit(struct io_uring *ring, enum clx_ring_call call, int fd, const struct iovec *vectors, unsigned count,
                                  unsigned long long offset, unsigned long long token, int takes_long) {
    struct io_uring_sqe *entry = io_uring_get_sqe(ring);
    if (!entry) return 1;
    switch (call) {
    case CLX_RING_READ: io_uring_prep_readv(entry, fd, vectors, count, offset); break;
    case CLX_RING_WRITE: io_uring_prep_writev(entry, fd, vectors, count, offset); break;
    case CLX_RING_FLUSH: io_uring_prep_fsync(entry, fd, IORING_FSYNC_DATASYNC); break;
    }
    io_uring_sqe_set_data64(entry, token);
    if (takes_long) io_uring_sqe_set_flags(entry, IOSQE_ASYNC);
    int status;
    do status = io_uring_submit(ring);
    while (status == -EINTR);
    return status < 0 ? status : 0;
}

// 1: a call has ended.
static inline int clx_ring_take(struct io_uring *ring, unsigned long long *token, int *result) {
    struct io_uring_cqe *entry;
    if (io_uring_peek_cqe(ring, &entry) != 0) return 0;
    *token = io_uring_cqe_get_data64(entry);
    *result = entry->res;
    io_uring_cqe_seen(ring, entry);
    return 1;
}

static inline void clx_ring_close(struct io_uring *ring) { io_uring_queue_exit(ring); }
