// Names of errors: what strerror(3) says differs between C libraries, and only some have strerrorname_np(3).
#pragma once
#include <errno.h>

/// The name of an error that the programs meet.
static inline const char *error_name(int error) {
#define NAME(name) if (error == name) return #name
    NAME(EPERM); NAME(ENOENT); NAME(ESRCH); NAME(EINTR); NAME(EIO); NAME(ENXIO); NAME(E2BIG); NAME(ENOEXEC); NAME(EBADF);
    NAME(ECHILD); NAME(EAGAIN); NAME(ENOMEM); NAME(EACCES); NAME(EFAULT); NAME(EBUSY); NAME(EEXIST); NAME(EXDEV); NAME(ENODEV);
    NAME(ENOTDIR); NAME(EISDIR); NAME(EINVAL); NAME(ENFILE); NAME(EMFILE); NAME(ENOTTY); NAME(ETXTBSY); NAME(EFBIG); NAME(ENOSPC);
    NAME(ESPIPE); NAME(EROFS); NAME(EPIPE); NAME(ERANGE); NAME(ENAMETOOLONG); NAME(ENOSYS); NAME(ENOTEMPTY); NAME(ELOOP);
    NAME(ENODATA); NAME(EOVERFLOW); NAME(ENOTSOCK); NAME(EOPNOTSUPP); NAME(ELIBBAD);
#undef NAME
    return "another error";
}
