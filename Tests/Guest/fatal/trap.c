// A breakpoint without a debugger: ends by SIGTRAP.
int main(void) { __asm__ volatile("ebreak"); return 0; }
