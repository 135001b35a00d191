// What the linker is told about the build: symbols whose addresses are values (--defsym). A build that tells nothing has none of them.
#pragma once

#include <stdint.h>

extern const char martlet_build_commit __attribute__((weak));

/// Thirteen hexadecimal digits: 1, or 2 where files differ from the commit, and the first twelve of the commit. 0: not told.
static inline uint64_t cbuild_commit(void) { return (uint64_t)(uintptr_t)&martlet_build_commit; }
