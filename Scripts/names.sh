# The names that Martlet is called by, as one table: for the build, for what is installed and for packages.

PROGRAMS=(martlet martlet-system)

# Guests with programs and machines of their own. Moxie has neither an operating system nor files that anybody would execute by name.
NAMED_GUESTS=(riscv64 riscv32)

# Links: the program, whose name it is (our own, or QEMU's), and the name; one with GUEST is there for each guest.
LINK_TABLE='
martlet         martlet  martlet-GUEST
martlet         qemu     qemu-GUEST
martlet         qemu     qemu-GUEST-static
martlet-system  martlet  martlet-system-GUEST
martlet-system  qemu     qemu-system-GUEST
martlet-system  qemu     qemu-img
martlet-system  qemu     qemu-nbd
'

# links martlet|qemu: prints "PROGRAM LINK" for each link of these names.
links() {
    local program whose form guest
    while read -r program whose form; do
        [ "$whose" = "$1" ] || continue
        case $form in *GUEST*) ;; *) printf '%s %s\n' "$program" "$form"; continue ;; esac
        for guest in "${NAMED_GUESTS[@]}"; do printf '%s %s\n' "$program" "${form/GUEST/$guest}"; done
    done <<<"$LINK_TABLE"
}
