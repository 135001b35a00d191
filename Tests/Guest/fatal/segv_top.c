// Jumps to the top of memory: ends by SIGSEGV.
int main(void) { void (*volatile f)(void) = (void (*)(void))-4096L; f(); return 0; }
