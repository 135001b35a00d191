// The configuration of the board's PCI bus, on which there is the host bridge alone.
// build: pci machine=virt
// build: pci-rv32 rv32 machine=virt

#include "machine.h"

#define ECAM 0x30000000u
#define IO 0x3000000u
#define MEMORY 0x40000000u
#define AT(type, bus, slot, function, offset) \
    (*(volatile type *)(reg)(ECAM + ((reg)(bus) << 20 | (slot) << 15 | (function) << 12 | (offset))))

FRAGMENT(load2, "lhu a0, 0(a0)");
FRAGMENT(load4, "lw a0, 0(a0)");
FRAGMENT(store4, "sw a1, 0(a0)");

void test(void) {
    section("bridge");
    for (int i = 0; i < 256; i += 4) observe("word", AT(u32, 0, 0, 0, i));
    for (int i = 0; i < 64; i += 2) observe("half", AT(u16, 0, 0, 0, i));
    for (int i = 0; i < 64; i++) observe("byte", AT(u8, 0, 0, 0, i));
    expect("name", AT(u32, 0, 0, 0, 0), 0x00081b36);
    expect("beyond", AT(u32, 0, 0, 0, 0x100), 0xffffffff);
    section("writes");
    // What names it, and what it has not, stays.
    for (int i = 0; i < 4; i++) AT(u8, 0, 0, 0, i) = 0x55;
    for (int i = 8; i < 12; i++) AT(u8, 0, 0, 0, i) = 0x55;
    for (int i = 0x10; i < 0x3c; i += 4) AT(u32, 0, 0, 0, i) = 0xffffffff;
    AT(u32, 0, 0, 0, 0x100) = 0;
    AT(u16, 0, 0, 0, 4) = 7;
    for (int i = 0; i < 0x3c; i += 4) observe("word", AT(u32, 0, 0, 0, i));
    AT(u16, 0, 0, 0, 4) = 0;
    section("nothing");
    for (int slot = 0; slot < 32; slot++)
        for (int function = slot == 0; function < 8; function++) observe("word", AT(u32, 0, slot, function, 0));
    observe("bus", AT(u32, 1, 0, 0, 0));
    observe("last bus", AT(u32, 255, 31, 7, 0xffc));
    AT(u32, 0, 5, 0, 4) = 7;
    AT(u8, 255, 31, 7, 0xfff) = 7;
    section("windows");
    observe_trap("I/O", M, load4, IO, 0);
    observe_trap("I/O", M, load2, IO + 0xfffe, 0);
    observe_trap("I/O", M, store4, IO + 0x100, 5);
    observe_trap("memory", M, load4, MEMORY, 0);
    observe_trap("memory", M, store4, MEMORY + 0x3ffffffc, 0);
    observe_trap("memory", M, load2, MEMORY + 0x3ffffffe, 0);
#if XLEN == 64
    observe_trap("high memory", M, load4, 0x400000000, 0);
#endif
}
