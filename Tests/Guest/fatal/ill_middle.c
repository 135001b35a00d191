// Jumps into the middle of an instruction whose second half is no instruction: ends by SIGILL.
__attribute__((aligned(4), section(".text#"))) static const unsigned code[] = {0x00000013, 0x00008067};
int main(void) { void (*volatile f)(void) = (void (*)(void))((const char *)code + 2); f(); return 0; }
