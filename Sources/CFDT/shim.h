#include <libfdt.h>

// Macros of libfdt.h.
static inline uint32_t fdt_totalsize_of(const void *blob) { return fdt_totalsize(blob); }
static inline uint32_t fdt_boot_cpuid_phys_of(const void *blob) { return fdt_boot_cpuid_phys(blob); }
