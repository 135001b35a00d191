// Calls code in a page that was unmapped after it ran once: ends by SIGSEGV.
#include <string.h>
#include <sys/mman.h>
int main(void) {
    unsigned code[] = {0x00008067};
    void *page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, 4);
    __builtin___clear_cache(page, (char *)page + 4);
    void (*volatile f)(void) = (void (*)(void))page;
    f();
    munmap(page, 4096);
    f();
    return 0;
}
