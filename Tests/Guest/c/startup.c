// What a program finds when it starts: arguments, environment, the auxiliary vector, stack alignment, its own path and maps.
// args: first "" "two words" --flag=ü
// guests: riscv32
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;
extern char __executable_start[] __attribute__((weak));
int main(int argc, char **argv) {
    printf("argc %d\n", argc);
    for (int i = 1; i < argc; i++) printf("[%s]\n", argv[i]);
    printf("end %d\n", argv[argc] == NULL && environ == argv + argc + 1);
    const char *slash = strrchr(argv[0], '/');
    printf("name %.7s\n", slash ? slash + 1 : argv[0]);
    setenv("MADE_HERE", "yes", 1);
    printf("path set %d, made here %s\n", getenv("PATH") != NULL, getenv("MADE_HERE"));
    uintptr_t sp;
    __asm__("mv %0, sp" : "=r"(sp));
    printf("stack aligned %d\n", sp % 16 == 0);
    ElfW(Ehdr) *header = (ElfW(Ehdr) *)(getauxval(AT_PHDR) - sizeof(ElfW(Ehdr)));
    printf("phdr %d phent %d phnum %d entry %d\n", !memcmp(header->e_ident, ELFMAG, 4), getauxval(AT_PHENT) == sizeof(ElfW(Phdr)),
        getauxval(AT_PHNUM) == header->e_phnum, getauxval(AT_ENTRY) == header->e_entry);
    printf("pagesz %lu base %lu flags %lu clktck %lu secure %lu\n", getauxval(AT_PAGESZ), getauxval(AT_BASE), getauxval(AT_FLAGS), getauxval(AT_CLKTCK), getauxval(AT_SECURE));
    printf("hwcap imafdc %lx\n", getauxval(AT_HWCAP) & 0x112d);
    printf("ids %d\n", getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid() && getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
    unsigned char *random = (unsigned char *)getauxval(AT_RANDOM);
    int sum = 0;
    for (int i = 0; i < 16; i++) sum |= random[i];
    printf("random %d\n", sum != 0);
    slash = strrchr((char *)getauxval(AT_EXECFN), '/');
    printf("execfn %.7s\n", slash ? slash + 1 : (char *)getauxval(AT_EXECFN));
    char path[4096] = "";
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    printf("exe %.7s\n", n > 0 ? strrchr(path, '/') + 1 : "none");
    FILE *f = fopen("/proc/self/cmdline", "r");
    char line[4096];
    size_t got = fread(line, 1, sizeof line, f);
    int zeros = 0;
    for (size_t i = 0; i < got; i++) zeros += line[i] == 0;
    printf("cmdline has %d strings, last %s\n", zeros, line + got - 1 - strlen("--flag=ü"));
    f = fopen("/proc/self/maps", "r");
    int heap = 0, stack = 0, exe = 0;
    while (fgets(line, sizeof line, f)) { heap |= strstr(line, "[heap]") != NULL; stack |= strstr(line, "[stack]") != NULL; exe |= strstr(line, path) != NULL; }
    printf("maps: stack %d exe %d\n", stack, exe);
    struct utsname name;
    uname(&name);
    printf("uname %s %d\n", name.sysname, !strcmp(name.machine, sizeof(long) == 8 ? "riscv64" : "riscv32"));
    return 0;
}
