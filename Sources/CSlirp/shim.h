// libslirp, opened when it is asked for: Debian has no archive of it to link.
#include <dlfcn.h>
#include <stdlib.h>
#include <slirp/libslirp.h>

struct clx_slirp {
    __typeof__(slirp_new) *make;
    __typeof__(slirp_cleanup) *cleanup;
    __typeof__(slirp_input) *input;
    __typeof__(slirp_pollfds_fill) *fill;
    __typeof__(slirp_pollfds_poll) *poll;
    __typeof__(slirp_handle_timer) *handle_timer;
    __typeof__(slirp_add_hostfwd) *add_hostfwd;
    __typeof__(slirp_remove_hostfwd) *remove_hostfwd;
    __typeof__(slirp_add_exec) *add_exec;
    __typeof__(slirp_add_guestfwd) *add_guestfwd;
    __typeof__(slirp_socket_can_recv) *guestfwd_room;
    __typeof__(slirp_socket_recv) *guestfwd_receive;
    __typeof__(slirp_connection_info) *connections;
    __typeof__(slirp_version_string) *version;
};

// For what the library has allocated.
static inline void clx_free(void *memory) { free(memory); }

// 0, or which symbol there is not; -1: there is no library.
static inline int clx_slirp_open(struct clx_slirp *functions) {
    static const char *const names[] = {"slirp_new", "slirp_cleanup", "slirp_input", "slirp_pollfds_fill", "slirp_pollfds_poll",
                                        "slirp_handle_timer", "slirp_add_hostfwd", "slirp_remove_hostfwd", "slirp_add_exec",
                                        "slirp_add_guestfwd", "slirp_socket_can_recv", "slirp_socket_recv",
                                        "slirp_connection_info", "slirp_version_string"};
    void *library = dlopen("libslirp.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) return -1;
    void **places = (void **)functions;
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (!(places[i] = dlsym(library, names[i]))) return i + 1;
    return 0;
}
