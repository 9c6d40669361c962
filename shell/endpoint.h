/*
 * endpoint.h - reading and writing one standard stream without ever waiting for it. Most descriptors are shared with
 * programs that do not expect O_NONBLOCK on them (sshd's ends of its pipes, a caller's terminal), so that it is never
 * set on those: pipes are spliced with SPLICE_F_NONBLOCK through a pipe of our own, sockets take MSG_DONTWAIT. No
 * privilege. SIGPIPE must be ignored.
 */
#ifndef AGENTSH_SHELL_ENDPOINT_H
#define AGENTSH_SHELL_ENDPOINT_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum endpoint_kind {
        ENDPOINT_OWN,      /* ours alone, and non-blocking: a pipe's end */
        ENDPOINT_PTY,      /* the same, the master of a pty */
        ENDPOINT_TERMINAL, /* a socket that stands for a terminal: its end is announced by shutdown */
        ENDPOINT_PIPE,
        ENDPOINT_SOCKET,
        ENDPOINT_FILE, /* regular, or a memory device: never waits for anybody */
};

struct endpoint {
        int fd; /* owned; -EBADF: closed */
        enum endpoint_kind kind;
        int pipe[2]; /* PIPE: owned */
        size_t held; /* PIPE: bytes in it that were accepted for writing */
};

#define ENDPOINT_NONE                                                                     \
        (struct endpoint)                                                                 \
        {                                                                                 \
                .fd = -EBADF, .kind = ENDPOINT_OWN, .pipe = { -EBADF, -EBADF }, .held = 0 \
        }

/* A passed stream that stdio_type allows: takes over `fd` on success. */
must_check int endpoint_share(struct endpoint *ret, int fd, struct error *err);

/* OWN, PTY, TERMINAL: takes over `fd`. The first two are made non-blocking. */
must_check int endpoint_own(struct endpoint *ret, int fd, enum endpoint_kind kind, struct error *err);

/* Bytes; 0: the end; -EAGAIN: nothing now; -errno. A pty without slaves is -EIO. */
ssize_t endpoint_read(struct endpoint *endpoint, void *to, size_t size);

/*
 * Returns how many bytes were accepted (0: none now), or -errno when nobody will read them. *delivered is raised by
 * what got out, which may include bytes accepted earlier and held; size 0 only tries those.
 */
ssize_t endpoint_write(struct endpoint *endpoint, const void *from, size_t size, size_t *delivered);

void endpoint_close(struct endpoint *endpoint);

#endif
