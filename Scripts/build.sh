# Building martlet.
#
# The release build is one self-contained file: the Swift runtime, the C library and Capstone are inside. It is
# position-independent (static-pie), so that the low addresses stay free for guests that are linked to fixed ones.
#   -static-executable -use-ld=lld -static-pie   what makes such a file; the default linker cannot
#   --disable-local-rpath                        a static-pie file with an rpath crashes in glibc's start code
#   -z pack-relative-relocs                      a quarter of the size of the relocations, applied faster
#   --defsym=ARCH_...=0                          Capstone's tables for other architectures than the disassembler's
#                                                stay out: they are 5 MB, and 1 ms of relocations at every start
#   --defsym=martlet_build_commit=0x...          the commit, for `martlet version` (Sources/CBuild): a value that only the linker
#                                                gets, so that after a commit nothing is compiled again, and no file is written

CAPSTONE_ARCHITECTURES='X86'      # the hosts' code that martlet disassembles, separated by |; the others are left out

# Prints the path of Capstone as an archive; nothing when there is none.
static_capstone() {
    local archive
    archive=$(${CC:-cc} -print-file-name=libcapstone.a 2>/dev/null || true)
    [ -f "$archive" ] || archive=$(dpkg -L libcapstone-dev 2>/dev/null | grep '/libcapstone\.a$' || true)
    if [ -f "$archive" ]; then printf '%s' "$archive"; fi
}

# The commit of the tree as Sources/CBuild has it: 1, or 2 where files differ from it, and twelve digits; 0 where there is no git tree.
build_commit() {
    local digits changes
    if ! have git || [ "$(git -C "$REPO" rev-parse --show-toplevel 2>/dev/null)" != "$REPO" ] ||
        ! digits=$(git -C "$REPO" rev-parse HEAD 2>/dev/null); then
        printf '0'
        return
    fi
    changes=$(git -C "$REPO" status --porcelain --untracked-files=no 2>/dev/null || true)
    printf '%d%s' $((${#changes} ? 2 : 1)) "${digits:0:12}"
}

release_flags() {
    local archive name
    printf '%s\n' -c release --disable-local-rpath -Xswiftc -static-executable -Xswiftc -use-ld=lld \
        -Xswiftc -Xclang-linker -Xswiftc -static-pie -Xlinker -z -Xlinker pack-relative-relocs
    printf '%s\n' -Xlinker "--defsym=martlet_build_commit=0x$(build_commit)"
    archive=$(static_capstone)
    [ -n "$archive" ] || return 0
    # Capstone reaches each architecture through ARCH_global_init and ARCH_option in one table.
    for name in $(grep -aoE '[A-Za-z0-9]+_global_init' "$archive" | sort -u | sed 's/_global_init$//' |
        grep -vxE "$CAPSTONE_ARCHITECTURES"); do
        printf '%s\n' -Xlinker "--defsym=${name}_global_init=0" -Xlinker "--defsym=${name}_option=0"
    done
}

# Builds for release and prints the path of the file.
build_release() {
    local flags name program link
    mapfile -t flags < <(release_flags)
    say "building martlet for release (the first time takes some minutes)"
    for name in "${PROGRAMS[@]}"; do
        (cd "$REPO" && "$SWIFT" build -j "$JOBS" --scratch-path "$SCRATCH" --product "$name" "${flags[@]}") >&2 ||
            fail "$name does not build"
    done
    while read -r program link; do ln -sf "$program" "$SCRATCH/release/$link"; done < <(links martlet; links qemu)
    printf '%s/release/martlet' "$SCRATCH"
}

martlet_binary() {
    if [ -n "${MARTLET_BIN:-}" ]; then printf '%s' "$MARTLET_BIN"; return; fi
    need_build
    build_release
}
