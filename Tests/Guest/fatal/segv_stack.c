// Recursion without end: the stack's limit ends it by SIGSEGV.
int deep(volatile int *x) { volatile int y[64]; y[0] = *x + 1; return deep(y) + y[0]; }
int main(void) { volatile int x = 0; return deep(&x); }
// cflags: -Wno-infinite-recursion
