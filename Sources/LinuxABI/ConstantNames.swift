// Names of flag bits and enumerated values, for showing system calls. The kernel's names and the asm-generic values
// (UAPI headers); each set is one line of text, read only when something is shown. A `bits` set is matched bit by bit
// from the left, so wider masks stand before the bits they contain; a `values` set is matched as a whole.

/// A set of named constants.
public enum ConstantNames: UInt8, Sendable, BitwiseCopyable {
    // Bits
    case open, openCreate, at, mapProtection, mapFlags, memorySync, clone, wait, descriptorFlags, eventFD, timerFD,
        socketFlags, message
    case statx, rename, epollCreate, inotifyInit, inotifyMask, memfd, random, fallocate, splice, closeRange, mount,
        unmount, xattr
    case access, timerSettime, syncRange, ipc, readWrite, personality, pidfd, signalAction, futexFlags, poll, mlockAll
    // Values
    case seek, fcntl, clock, socketFamily, socketType, socketLevel, shutdown, epollControl, fadvise, madvise, prctl,
        resource
    case signalHow, waitKind, usageWho, timerKind, flock, futex, priorityWho, scheduler, ipcControl, syslog, membarrier

    /// The set of the ABIs' tables by which a mask is translated; nil where all ABIs have the same.
    public var maskSet: MaskSet? {
        switch self {
        case .open, .openCreate, .pidfd: .open
        case .at: .at
        case .mapProtection: .protection
        case .mapFlags: .map
        case .memorySync: .msync
        case .clone: .clone
        case .wait: .wait
        case .eventFD: .eventfd
        case .timerFD: .timerfd
        case .epollCreate: .epoll
        case .inotifyInit, .inotifyMask: .inotify
        case .memfd: .memfd
        case .random: .random
        case .fallocate: .fallocate
        case .ipc: .ipc
        case .signalAction: .sigaction
        case .poll: .poll
        case .mlockAll: .mlockall
        default: nil
        }
    }

    /// The same for a number.
    public var valueSet: ValueSet? {
        switch self {
        case .fcntl: .fcntl
        case .clock: .clock
        case .socketLevel: .socklevel
        case .madvise: .madvise
        case .resource: .resource
        case .signalHow: .sigmask
        case .ipcControl: .ipcctl
        default: nil
        }
    }

    var table: StaticString {
        switch self {
        case .open:
            """
            O_TMPFILE=410000 O_SYNC=101000 O_WRONLY=1 O_RDWR=2 O_CREAT=40 O_EXCL=80 O_NOCTTY=100 O_TRUNC=200 \
            O_APPEND=400 O_NONBLOCK=800 O_DSYNC=1000 O_ASYNC=2000 O_DIRECT=4000 O_LARGEFILE=8000 O_DIRECTORY=10000 \
            O_NOFOLLOW=20000 O_NOATIME=40000 O_CLOEXEC=80000 O_PATH=200000
            """
        case .openCreate: "O_CLOEXEC=80000 O_NONBLOCK=800 O_DIRECT=4000"
        case .at:
            """
            AT_SYMLINK_NOFOLLOW=100 AT_REMOVEDIR=200 AT_SYMLINK_FOLLOW=400 AT_NO_AUTOMOUNT=800 AT_EMPTY_PATH=1000 \
            AT_STATX_FORCE_SYNC=2000 AT_STATX_DONT_SYNC=4000 AT_RECURSIVE=8000
            """
        case .mapProtection:
            """
            PROT_READ=1 PROT_WRITE=2 PROT_EXEC=4 PROT_SEM=8 PROT_GROWSDOWN=1000000 PROT_GROWSUP=2000000
            """
        case .mapFlags:
            """
            MAP_SHARED_VALIDATE=3 MAP_SHARED=1 MAP_PRIVATE=2 MAP_FIXED=10 MAP_ANONYMOUS=20 MAP_GROWSDOWN=100 \
            MAP_DENYWRITE=800 MAP_EXECUTABLE=1000 MAP_LOCKED=2000 MAP_NORESERVE=4000 MAP_POPULATE=8000 \
            MAP_NONBLOCK=10000 MAP_STACK=20000 MAP_HUGETLB=40000 MAP_SYNC=80000 MAP_FIXED_NOREPLACE=100000
            """
        case .memorySync: "MS_ASYNC=1 MS_INVALIDATE=2 MS_SYNC=4"
        case .clone:
            """
            CLONE_NEWTIME=80 CLONE_VM=100 CLONE_FS=200 CLONE_FILES=400 CLONE_SIGHAND=800 CLONE_PIDFD=1000 \
            CLONE_PTRACE=2000 CLONE_VFORK=4000 CLONE_PARENT=8000 CLONE_THREAD=10000 CLONE_NEWNS=20000 \
            CLONE_SYSVSEM=40000 CLONE_SETTLS=80000 CLONE_PARENT_SETTID=100000 CLONE_CHILD_CLEARTID=200000 \
            CLONE_DETACHED=400000 CLONE_UNTRACED=800000 CLONE_CHILD_SETTID=1000000 CLONE_NEWCGROUP=2000000 \
            CLONE_NEWUTS=4000000 CLONE_NEWIPC=8000000 CLONE_NEWUSER=10000000 CLONE_NEWPID=20000000 \
            CLONE_NEWNET=40000000 CLONE_IO=80000000
            """
        case .wait:
            """
            WNOHANG=1 WUNTRACED=2 WEXITED=4 WCONTINUED=8 WNOWAIT=1000000 __WNOTHREAD=20000000 __WALL=40000000 \
            __WCLONE=80000000
            """
        case .descriptorFlags: "FD_CLOEXEC=1"
        case .eventFD: "EFD_SEMAPHORE=1 EFD_NONBLOCK=800 EFD_CLOEXEC=80000"
        case .timerFD: "TFD_NONBLOCK=800 TFD_CLOEXEC=80000"
        case .socketFlags: "SOCK_NONBLOCK=800 SOCK_CLOEXEC=80000"
        case .message:
            """
            MSG_OOB=1 MSG_PEEK=2 MSG_DONTROUTE=4 MSG_CTRUNC=8 MSG_PROBE=10 MSG_TRUNC=20 MSG_DONTWAIT=40 MSG_EOR=80 \
            MSG_WAITALL=100 MSG_CONFIRM=800 MSG_ERRQUEUE=2000 MSG_NOSIGNAL=4000 MSG_MORE=8000 MSG_WAITFORONE=10000 \
            MSG_ZEROCOPY=4000000 MSG_FASTOPEN=20000000 MSG_CMSG_CLOEXEC=40000000
            """
        case .statx:
            """
            STATX_ALL=fff STATX_BASIC_STATS=7ff STATX_TYPE=1 STATX_MODE=2 STATX_NLINK=4 STATX_UID=8 STATX_GID=10 \
            STATX_ATIME=20 STATX_MTIME=40 STATX_CTIME=80 STATX_INO=100 STATX_SIZE=200 STATX_BLOCKS=400 \
            STATX_BTIME=800 STATX_MNT_ID=1000 STATX_DIOALIGN=2000
            """
        case .rename: "RENAME_NOREPLACE=1 RENAME_EXCHANGE=2 RENAME_WHITEOUT=4"
        case .epollCreate: "EPOLL_CLOEXEC=80000"
        case .inotifyInit: "IN_NONBLOCK=800 IN_CLOEXEC=80000"
        case .inotifyMask:
            """
            IN_ALL_EVENTS=fff IN_ACCESS=1 IN_MODIFY=2 IN_ATTRIB=4 IN_CLOSE_WRITE=8 IN_CLOSE_NOWRITE=10 IN_OPEN=20 \
            IN_MOVED_FROM=40 IN_MOVED_TO=80 IN_CREATE=100 IN_DELETE=200 IN_DELETE_SELF=400 IN_MOVE_SELF=800 \
            IN_ONLYDIR=1000000 IN_DONT_FOLLOW=2000000 IN_EXCL_UNLINK=4000000 IN_MASK_CREATE=10000000 \
            IN_MASK_ADD=20000000 IN_ISDIR=40000000 IN_ONESHOT=80000000
            """
        case .memfd: "MFD_CLOEXEC=1 MFD_ALLOW_SEALING=2 MFD_HUGETLB=4 MFD_NOEXEC_SEAL=8 MFD_EXEC=10"
        case .random: "GRND_NONBLOCK=1 GRND_RANDOM=2 GRND_INSECURE=4"
        case .fallocate:
            """
            FALLOC_FL_KEEP_SIZE=1 FALLOC_FL_PUNCH_HOLE=2 FALLOC_FL_NO_HIDE_STALE=4 FALLOC_FL_COLLAPSE_RANGE=8 \
            FALLOC_FL_ZERO_RANGE=10 FALLOC_FL_INSERT_RANGE=20 FALLOC_FL_UNSHARE_RANGE=40
            """
        case .splice: "SPLICE_F_MOVE=1 SPLICE_F_NONBLOCK=2 SPLICE_F_MORE=4 SPLICE_F_GIFT=8"
        case .closeRange: "CLOSE_RANGE_UNSHARE=2 CLOSE_RANGE_CLOEXEC=4"
        case .mount:
            """
            MS_RDONLY=1 MS_NOSUID=2 MS_NODEV=4 MS_NOEXEC=8 MS_SYNCHRONOUS=10 MS_REMOUNT=20 MS_MANDLOCK=40 \
            MS_DIRSYNC=80 MS_NOATIME=400 MS_NODIRATIME=800 MS_BIND=1000 MS_MOVE=2000 MS_REC=4000 MS_SILENT=8000 \
            MS_UNBINDABLE=20000 MS_PRIVATE=40000 MS_SLAVE=80000 MS_SHARED=100000 MS_RELATIME=200000 \
            MS_STRICTATIME=1000000
            """
        case .unmount: "MNT_FORCE=1 MNT_DETACH=2 MNT_EXPIRE=4 UMOUNT_NOFOLLOW=8"
        case .xattr: "XATTR_CREATE=1 XATTR_REPLACE=2"
        case .access: "R_OK=4 W_OK=2 X_OK=1"
        case .timerSettime: "TIMER_ABSTIME=1"
        case .syncRange: "SYNC_FILE_RANGE_WAIT_BEFORE=1 SYNC_FILE_RANGE_WRITE=2 SYNC_FILE_RANGE_WAIT_AFTER=4"
        case .ipc: "IPC_CREAT=200 IPC_EXCL=400 IPC_NOWAIT=800"
        case .readWrite: "RWF_HIPRI=1 RWF_DSYNC=2 RWF_SYNC=4 RWF_NOWAIT=8 RWF_APPEND=10"
        case .personality:
            """
            ADDR_NO_RANDOMIZE=40000 MMAP_PAGE_ZERO=100000 ADDR_COMPAT_LAYOUT=200000 READ_IMPLIES_EXEC=400000 \
            ADDR_LIMIT_32BIT=800000 STICKY_TIMEOUTS=4000000
            """
        case .pidfd: "PIDFD_NONBLOCK=800"
        case .signalAction:
            """
            SA_NOCLDSTOP=1 SA_NOCLDWAIT=2 SA_SIGINFO=4 SA_ONSTACK=8000000 SA_RESTART=10000000 SA_NODEFER=40000000 \
            SA_RESETHAND=80000000
            """
        case .futexFlags: "FUTEX_PRIVATE_FLAG=80 FUTEX_CLOCK_REALTIME=100"
        case .poll:
            """
            POLLIN=1 POLLPRI=2 POLLOUT=4 POLLERR=8 POLLHUP=10 POLLNVAL=20 POLLRDNORM=40 POLLRDBAND=80 \
            POLLWRNORM=100 POLLWRBAND=200 POLLMSG=400 POLLRDHUP=2000 EPOLLEXCLUSIVE=10000000 EPOLLWAKEUP=20000000 \
            EPOLLONESHOT=40000000 EPOLLET=80000000
            """
        case .mlockAll: "MCL_CURRENT=1 MCL_FUTURE=2 MCL_ONFAULT=4"
        case .seek: "SEEK_SET=0 SEEK_CUR=1 SEEK_END=2 SEEK_DATA=3 SEEK_HOLE=4"
        case .fcntl:
            """
            F_DUPFD=0 F_GETFD=1 F_SETFD=2 F_GETFL=3 F_SETFL=4 F_GETLK=5 F_SETLK=6 F_SETLKW=7 F_SETOWN=8 F_GETOWN=9 \
            F_SETSIG=a F_GETSIG=b F_SETOWN_EX=f F_GETOWN_EX=10 F_OFD_GETLK=24 F_OFD_SETLK=25 F_OFD_SETLKW=26 \
            F_SETLEASE=400 F_GETLEASE=401 F_NOTIFY=402 F_DUPFD_QUERY=403 F_DUPFD_CLOEXEC=406 F_SETPIPE_SZ=407 \
            F_GETPIPE_SZ=408 F_ADD_SEALS=409 F_GET_SEALS=40a F_GET_RW_HINT=40b F_SET_RW_HINT=40c
            """
        case .clock:
            """
            CLOCK_REALTIME=0 CLOCK_MONOTONIC=1 CLOCK_PROCESS_CPUTIME_ID=2 CLOCK_THREAD_CPUTIME_ID=3 \
            CLOCK_MONOTONIC_RAW=4 CLOCK_REALTIME_COARSE=5 CLOCK_MONOTONIC_COARSE=6 CLOCK_BOOTTIME=7 \
            CLOCK_REALTIME_ALARM=8 CLOCK_BOOTTIME_ALARM=9 CLOCK_TAI=b
            """
        case .socketFamily:
            """
            AF_UNSPEC=0 AF_UNIX=1 AF_INET=2 AF_AX25=3 AF_IPX=4 AF_INET6=a AF_NETLINK=10 AF_PACKET=11 \
            AF_BLUETOOTH=1f AF_ALG=26 AF_VSOCK=28 AF_XDP=2c
            """
        case .socketType: "SOCK_STREAM=1 SOCK_DGRAM=2 SOCK_RAW=3 SOCK_RDM=4 SOCK_SEQPACKET=5 SOCK_PACKET=a"
        case .socketLevel:
            """
            IPPROTO_IP=0 SOL_SOCKET=1 IPPROTO_TCP=6 IPPROTO_UDP=11 IPPROTO_IPV6=29 SOL_PACKET=107 SOL_NETLINK=10e
            """
        case .shutdown: "SHUT_RD=0 SHUT_WR=1 SHUT_RDWR=2"
        case .epollControl: "EPOLL_CTL_ADD=1 EPOLL_CTL_DEL=2 EPOLL_CTL_MOD=3"
        case .fadvise:
            """
            POSIX_FADV_NORMAL=0 POSIX_FADV_RANDOM=1 POSIX_FADV_SEQUENTIAL=2 POSIX_FADV_WILLNEED=3 \
            POSIX_FADV_DONTNEED=4 POSIX_FADV_NOREUSE=5
            """
        case .madvise:
            """
            MADV_NORMAL=0 MADV_RANDOM=1 MADV_SEQUENTIAL=2 MADV_WILLNEED=3 MADV_DONTNEED=4 MADV_FREE=8 MADV_REMOVE=9 \
            MADV_DONTFORK=a MADV_DOFORK=b MADV_MERGEABLE=c MADV_UNMERGEABLE=d MADV_HUGEPAGE=e MADV_NOHUGEPAGE=f \
            MADV_DONTDUMP=10 MADV_DODUMP=11 MADV_WIPEONFORK=12 MADV_KEEPONFORK=13 MADV_COLD=14 MADV_PAGEOUT=15 \
            MADV_POPULATE_READ=16 MADV_POPULATE_WRITE=17
            """
        case .prctl:
            """
            PR_SET_PDEATHSIG=1 PR_GET_PDEATHSIG=2 PR_GET_DUMPABLE=3 PR_SET_DUMPABLE=4 PR_GET_KEEPCAPS=7 \
            PR_SET_KEEPCAPS=8 PR_SET_NAME=f PR_GET_NAME=10 PR_GET_SECCOMP=15 PR_SET_SECCOMP=16 PR_CAPBSET_READ=17 \
            PR_CAPBSET_DROP=18 PR_GET_SECUREBITS=1b PR_SET_SECUREBITS=1c PR_SET_TIMERSLACK=1d PR_GET_TIMERSLACK=1e \
            PR_SET_MM=23 PR_SET_CHILD_SUBREAPER=24 PR_GET_CHILD_SUBREAPER=25 PR_SET_NO_NEW_PRIVS=26 \
            PR_GET_NO_NEW_PRIVS=27 PR_GET_TID_ADDRESS=28 PR_SET_THP_DISABLE=29 PR_GET_THP_DISABLE=2a \
            PR_CAP_AMBIENT=2f PR_SET_VMA=53564d41
            """
        case .resource:
            """
            RLIMIT_CPU=0 RLIMIT_FSIZE=1 RLIMIT_DATA=2 RLIMIT_STACK=3 RLIMIT_CORE=4 RLIMIT_RSS=5 RLIMIT_NPROC=6 \
            RLIMIT_NOFILE=7 RLIMIT_MEMLOCK=8 RLIMIT_AS=9 RLIMIT_LOCKS=a RLIMIT_SIGPENDING=b RLIMIT_MSGQUEUE=c \
            RLIMIT_NICE=d RLIMIT_RTPRIO=e RLIMIT_RTTIME=f
            """
        case .signalHow: "SIG_BLOCK=0 SIG_UNBLOCK=1 SIG_SETMASK=2"
        case .waitKind: "P_ALL=0 P_PID=1 P_PGID=2 P_PIDFD=3"
        case .usageWho: "RUSAGE_SELF=0 RUSAGE_THREAD=1 RUSAGE_CHILDREN=ffffffff"
        case .timerKind: "ITIMER_REAL=0 ITIMER_VIRTUAL=1 ITIMER_PROF=2"
        case .flock: "LOCK_SH=1 LOCK_EX=2 LOCK_UN=8 LOCK_SH|LOCK_NB=5 LOCK_EX|LOCK_NB=6 LOCK_UN|LOCK_NB=c"
        case .futex:
            """
            FUTEX_WAIT=0 FUTEX_WAKE=1 FUTEX_REQUEUE=3 FUTEX_CMP_REQUEUE=4 FUTEX_WAKE_OP=5 FUTEX_LOCK_PI=6 \
            FUTEX_UNLOCK_PI=7 FUTEX_TRYLOCK_PI=8 FUTEX_WAIT_BITSET=9 FUTEX_WAKE_BITSET=a FUTEX_WAIT_REQUEUE_PI=b \
            FUTEX_CMP_REQUEUE_PI=c FUTEX_LOCK_PI2=d
            """
        case .priorityWho: "PRIO_PROCESS=0 PRIO_PGRP=1 PRIO_USER=2"
        case .scheduler: "SCHED_OTHER=0 SCHED_FIFO=1 SCHED_RR=2 SCHED_BATCH=3 SCHED_IDLE=5 SCHED_DEADLINE=6"
        case .ipcControl:
            """
            IPC_RMID=0 IPC_SET=1 IPC_STAT=2 IPC_INFO=3 GETPID=b GETVAL=c GETALL=d GETNCNT=e GETZCNT=f SETVAL=10 \
            SETALL=11
            """
        case .syslog:
            """
            SYSLOG_ACTION_CLOSE=0 SYSLOG_ACTION_OPEN=1 SYSLOG_ACTION_READ=2 SYSLOG_ACTION_READ_ALL=3 \
            SYSLOG_ACTION_READ_CLEAR=4 SYSLOG_ACTION_CLEAR=5 SYSLOG_ACTION_SIZE_UNREAD=9 \
            SYSLOG_ACTION_SIZE_BUFFER=a
            """
        case .membarrier:
            """
            MEMBARRIER_CMD_QUERY=0 MEMBARRIER_CMD_GLOBAL=1 MEMBARRIER_CMD_GLOBAL_EXPEDITED=2 \
            MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED=4 MEMBARRIER_CMD_PRIVATE_EXPEDITED=8 \
            MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED=10
            """
        }
    }

    /// What a zero is called in a set of bits, where it has a name of its own.
    private var zero: StaticString {
        switch self {
        case .open: "O_RDONLY"
        case .access: "F_OK"
        case .mapProtection: "PROT_NONE"
        default: "0"
        }
    }

    /// The name of one value of a `values` set, or nil.
    public func name(of value: UInt64) -> String? {
        var found: String?
        forEach { name, constant in
            if constant == value && found == nil { found = name }
        }
        return found
    }

    /// `value` as names joined with `|`; what has no name stays as a hexadecimal number.
    public func describe(bits value: UInt64) -> String {
        if value == 0 { return zero.description }
        var rest = value
        var text = self == .open && value & 3 == 0 ? "O_RDONLY" : ""
        forEach { name, constant in
            if constant != 0 && rest & constant == constant {
                rest &= ~constant
                text += text.isEmpty ? name : "|" + name
            }
        }
        if rest != 0 { text += (text.isEmpty ? "0x" : "|0x") + String(rest, radix: 16) }
        return text
    }

    /// Calls `body` with every name and its value, in order.
    func forEach(_ body: (String, UInt64) -> Void) {
        for entry in table.description.split(separator: " ") {
            guard let equals = entry.lastIndex(of: "=") else { continue }
            body(String(entry[..<equals]), UInt64(entry[entry.index(after: equals)...], radix: 16) ?? 0)
        }
    }
}

/// Names of signals, the same numbers on all asm-generic guests and on x86-64 (signal(7)).
public func signalName(_ number: Int32) -> String {
    let names =
        """
        HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU \
        URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS
        """
    let list = names.split(separator: " ")
    if number >= 1 && Int(number) <= list.count { return "SIG" + list[Int(number) - 1] }
    if number >= 32 && number <= 64 { return number == 32 ? "SIGRTMIN" : "SIGRTMIN+\(number - 32)" }
    return "\(number)"
}
