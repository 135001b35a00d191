// An instruction that does not exist: ends by SIGILL.
int main(void) { __asm__ volatile(".4byte 0xffffffff"); return 0; }
