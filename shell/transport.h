/*
 * transport.h - the byte stream between relay and guest, whatever carries it. Four functions each; a virtio serial port
 * now, and room for others (vsock). No privilege of its own.
 */
#ifndef AGENTSH_SHELL_TRANSPORT_H
#define AGENTSH_SHELL_TRANSPORT_H

#include "common/error.h"

#include <sys/types.h>

struct transport_ops {
        /* `where` means something to this kind only. Returns an fd that can be polled, non-blocking, close-on-exec. */
        int (*open)(const char *where, struct error *err);
        /* Bytes; 0: nothing now; -EPIPE: the other end is gone for good; -errno. */
        ssize_t (*read)(int fd, void *to, size_t size);
        ssize_t (*write)(int fd, const void *from, size_t size);
        void (*close)(int fd);
};

struct transport {
        const struct transport_ops *ops;
        int fd; /* owned */
};

/* `where` is the number of an inherited descriptor: a socket whose other end is the engine's, or another program's. */
extern const struct transport_ops transport_inherited;

/*
 * `where` is the character device of a virtio serial port, inside the guest. A host that is not connected (before it
 * is, or around a snapshot) is not the end; but poll says "hung up" meanwhile, at once and every time.
 */
extern const struct transport_ops transport_virtio;

#endif
