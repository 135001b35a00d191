/* What the probe of `devtool abi` includes, and the structures that the kernel takes and no UAPI header declares. */

#include <linux/types.h>
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/posix_types.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/socket.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/blkpg.h>
#include <linux/capability.h>
#include <linux/cdrom.h>
#include <linux/close_range.h>
#include <linux/dm-ioctl.h>
#include <linux/eventfd.h>
#include <linux/eventpoll.h>
#include <linux/falloc.h>
#include <linux/fb.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/futex.h>
#include <linux/hdreg.h>
#include <linux/i2c-dev.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/inotify.h>
#include <linux/input.h>
#include <linux/ipc.h>
#include <linux/kd.h>
#include <linux/loop.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/mqueue.h>
#include <linux/msg.h>
#include <linux/nbd.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/random.h>
#include <linux/resource.h>
#include <linux/rtc.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/seccomp.h>
#include <linux/sem.h>
#include <linux/serial.h>
#include <linux/shm.h>
#include <linux/signal.h>
#include <linux/signalfd.h>
#include <linux/sockios.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <linux/times.h>
#include <linux/timex.h>
#include <linux/uinput.h>
#include <linux/uio.h>
#include <linux/usbdevice_fs.h>
#include <linux/userfaultfd.h>
#include <linux/utsname.h>
#include <linux/vt.h>
#include <linux/wait.h>
#include <linux/watchdog.h>
#include <linux/xattr.h>

/* <scsi/sg.h> is the C library's to ship: <linux/...> headers do not have it. */

/* struct user_msghdr and struct mmsghdr (include/linux/socket.h). */
struct msghdr {
    void *msg_name;
    int msg_namelen;
    struct iovec *msg_iov;
    __kernel_size_t msg_iovlen;
    void *msg_control;
    __kernel_size_t msg_controllen;
    unsigned int msg_flags;
};
struct mmsghdr {
    struct msghdr msg_hdr;
    unsigned int msg_len;
};
struct cmsghdr {
    __kernel_size_t cmsg_len;
    int cmsg_level, cmsg_type;
};

/* struct linux_dirent and struct linux_dirent64 (fs/readdir.c). */
struct linux_dirent {
    unsigned long d_ino, d_off;
    unsigned short d_reclen;
    char d_name[1];
};
struct linux_dirent64 {
    __u64 d_ino;
    __s64 d_off;
    unsigned short d_reclen;
    unsigned char d_type;
    char d_name[];
};

/* What the sixth argument of pselect6(2) points to (fs/select.c). */
struct pselect_mask {
    void *mask;
    __kernel_size_t size;
};

/* What the first argument of select(2) and mmap(2) points to where the call takes one (old_select, old_mmap). */
struct select_arguments {
    unsigned long count;
    void *read, *write, *except;
    void *timeout;
};
struct mmap_arguments {
    unsigned long address, length, protection, flags, descriptor, offset;
};

/* The word of robust futexes (linux/futex.h names it), and the tail of siginfo_t by what sent the signal. */
typedef siginfo_t siginfo;
typedef stack_t sigaltstack_t;

/* sparc keeps the name struct sigaction for its C library. */
#if defined(__sparc__)
#define sigaction __new_sigaction
#endif
