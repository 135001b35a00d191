// guests: moxie riscv32
// The C library's streams on devices: what is opened how, what fails, what comes back; and a status of its own. The same on all machines.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void attempt(const char *name, const char *mode) {
    char buffer[16] = "unchanged";
    FILE *file = fopen(name, mode);
    if (!file) { printf("%s %s: not opened\n", name, mode); return; }
    setvbuf(file, NULL, _IONBF, 0);
    size_t read = fread(buffer, 1, 8, file);
    int failed = ferror(file) != 0, ended = feof(file) != 0;
    clearerr(file);
    size_t written = fwrite("text", 1, 4, file);
    printf("%s %s: read %d (%d, error %d, end %d), wrote %d, closed %d\n", name, mode, (int)read, buffer[7], failed, ended, (int)written, fclose(file));
}

int main(void) {
    static const char *const names[] = {"/dev/null", "/dev/zero", "/dev/full", "/no/such/file", "/dev"};
    static const char *const modes[] = {"r", "w", "a", "r+", "w+", "a+"};
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 6; k++) attempt(names[i], modes[k]);
    printf("removed %d\n", remove("/no/such/file"));
    return 3;
}
