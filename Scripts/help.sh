help_command() {
    cat <<'TEXT'
usage: ./devtool COMMAND [ARGUMENTS]

  try [PROGRAM ARGS...]   install what is missing, build for release, run a riscv64 program (default: a tour)
  try system [OPTIONS]    boot Debian's riscv64 kernel to a shell (Ctrl-A h: keys); types what is piped into it, then powers off;
                          OPTIONS are the machine's, such as -smp 4 or -m 2G (Documentation/SystemMode.md)
  test [FILTER]           install what is missing, build, run every test; the last line counts them
  test long [FILTER]      20 boots of Debian's kernel (FILTER boots: they alone), those of a kernel for riscv32 that is built once (FILTER
                          linux32), then random and long tests, again and again with other seeds, for MARTLET_MINUTES (10)
  test privileged [--oracle | --bless] [--details] [NAME...]
                          programs for a whole machine, under QEMU and under ours (or only under QEMU); --details shows what differs
  check                   format, warnings as errors, layering, fast tests
  fmt                     format all Swift files in place
  bless [FILTER]          write the expected results anew (look at the difference before you commit it)
  bench [--html FILE] [NAMES...]
                          one table: native, qemu-user, martlet; NAMES select rows or groups (kernels, apps); --html draws it, with earlier runs
  bench system [ROW...]   the same for a machine: Debian's kernel and its programs under martlet and under qemu-system
  bench image [ROW...]    Debian on a disk under both: login, fio on raw and qcow2, a build, forks, an idle machine
  fuzz [TARGET...]        look for images, queues, registers, packets and texts that do harm (libFuzzer, AddressSanitizer), FUZZ_SECONDS (30) each
  dump FILE [START..END]  a program's first blocks: guest code, IR, optimized IR, host code
  bisect [--expect FILE] [OPTIONS] PROGRAM ARGS...
                          narrow a wrong result: to a tier, an optimizer pass, a translation; dump that translation
  root DIR [PACKAGE...]   make a Debian 13 riscv64 tree in DIR (--arch amd64 for the native one)
  payloads                fetch Debian 13's riscv64 kernel, OpenSBI, U-Boot and QEMU, and make an initramfs, for machines; they are in
                          $XDG_CACHE_HOME/martlet/payloads (~/.cache without that variable)
  image FILE [--size SIZE] [PACKAGE...]
                          a disk image (4G; qcow2 by that suffix) with Debian 13 for riscv64 and these packages, that boots by U-Boot or EFI
  abi [ARCH...]           write Sources/LinuxABI/Tables/ARCH.abi from the kernel's headers (--list: which; no ARCH: all there are)
  toolchain ARCH          what compiles programs for a guest that Debian has no C library for: riscv32 (`test` makes it), moxie (with a
                          simulator; half an hour; only to make Tests/Guest/moxie anew)
  test packaging          what install, tarball and deb make: files, completions, manual pages, packages; in temporary folders
  test recipes [all] [NAME...]
                          Documentation/Recipes.md, run as it stands there; all: those that take minutes too
  test image [NAME...]    Debian on a disk, which is made once: boots by U-Boot and by a kernel, apt, four harts under stress, a build, 20 boots
  build                   the release build alone: prints the path of the file
  install [PREFIX] [--qemu-names]
                          build, install programs, manual pages and completions below PREFIX (/usr/local), with DESTDIR in front of it;
                          --qemu-names: links such as qemu-riscv64 in PREFIX/bin too, not only in PREFIX/lib/martlet/qemu-names
  uninstall [PREFIX]      remove what install has installed there
  tarball [FOLDER]        martlet-VERSION-x86_64-linux.tar.xz in FOLDER (.build/packages): prints its path
  deb [FOLDER]            a Debian package, martlet_VERSION-1_amd64.deb: prints its path
  help                    this text

environment: MARTLET_BIN (use this martlet), DESTDIR (install, uninstall), SOURCE_DATE_EPOCH, DEBFULLNAME and DEBEMAIL (packages), JOBS (compiler processes), RUNS (bench: runs of each row, default 3),
  MARTLET_MODES (test: modes of the guest programs, comma-separated), XDG_CACHE_HOME (downloaded packages),
  SYSTEM (try system: this emulator, as $XDG_CACHE_HOME/martlet/payloads/qemu-system-riscv64), LIMIT (seconds for what is piped, 600),
  MARTLET_SYSTEM (test privileged, test long linux32, bench system: this martlet-system), LONG_BOOTS (test long and test image: how many, 20), STRESS_SECONDS (test image: 60), SYSTEM (test image too),
  MARTLET_SEED, MARTLET_ROUNDS (test: seed of all random tests, and how many times as much they do)
TEXT
}
