// Numbers of system calls: 32-bit ABIs have the calls with 64-bit times under names of their own.
#pragma once
#include <sys/syscall.h>

#ifndef SYS_clock_gettime
#define SYS_clock_gettime SYS_clock_gettime64
#define SYS_clock_getres SYS_clock_getres_time64
#define SYS_timer_gettime SYS_timer_gettime64
#define SYS_timer_settime SYS_timer_settime64
#define SYS_timerfd_gettime SYS_timerfd_gettime64
#define SYS_rt_sigtimedwait SYS_rt_sigtimedwait_time64
#define SYS_clock_adjtime SYS_clock_adjtime64
#define SYS_ppoll SYS_ppoll_time64
#define SYS_pselect6 SYS_pselect6_time64
#endif

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
