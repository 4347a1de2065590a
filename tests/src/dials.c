/* Loaded before libc into a program that a test watches. Each address that it dials, each name that it looks up and each file below
   HOME that it opens is a line of the file SEEN. Only the address REACHED can be reached, as if there were no network. */
#undef _FORTIFY_SOURCE
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int seen = -1;
static const char *home, *reached;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("SEEN");
    home = getenv("HOME");
    reached = getenv("REACHED");
    if (!name || !home || !reached) abort();
    seen = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (seen < 0) abort();
}

static void note(const char *what, const char *whom) {
    char line[8192];
    int length = snprintf(line, sizeof line, "%s %s\n", what, whom);
    if (length < 0 || length >= (int)sizeof line || write(seen, line, length) != length) abort();
}

static int is_reached(const struct sockaddr *to) {
    char host[INET6_ADDRSTRLEN] = "", address[INET6_ADDRSTRLEN + 16] = "another family";
    if (to->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)to;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(address, sizeof address, "%s:%d", host, ntohs(in->sin_port));
    } else if (to->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)to;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        snprintf(address, sizeof address, "[%s]:%d", host, ntohs(in->sin6_port));
    }
    note("dial", address);
    errno = ENETUNREACH;
    return strcmp(address, reached) == 0;
}

int connect(int socket, const struct sockaddr *to, socklen_t length) {
    return is_reached(to) ? (int)syscall(SYS_connect, socket, to, length) : -1;
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    return !to || is_reached(to) ? syscall(SYS_sendto, socket, data, size, flags, to, length) : -1;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found) {
    (void)port, (void)hints, (void)found;
    note("look up", host ? host : "");
    return EAI_FAIL;
}

static int opened(int folder, const char *path, int flags, va_list more) {
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    if (strncmp(path, home, strlen(home)) == 0) note("open", path);
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define OPEN(name)                                        \
    int name(const char *path, int flags, ...) {          \
        va_list more;                                     \
        va_start(more, flags);                            \
        int file = opened(AT_FDCWD, path, flags, more);   \
        va_end(more);                                     \
        return file;                                      \
    }
#define OPEN_AT(name)                                     \
    int name(int folder, const char *path, int flags, ...) { \
        va_list more;                                     \
        va_start(more, flags);                            \
        int file = opened(folder, path, flags, more);     \
        va_end(more);                                     \
        return file;                                      \
    }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
