/*
 * stdio_type.h - what a standard stream is, and whether it may go into an isolation. Both ends of the attach protocol
 * ask: agentsh before it passes an fd, agentsh-init before it takes one. No privilege.
 */
#ifndef AGENTSH_SHELL_STDIO_TYPE_H
#define AGENTSH_SHELL_STDIO_TYPE_H

#include "common/error.h"

enum stdio_type {
        STDIO_TERMINAL, /* stays outside; a fresh pty stands for it */
        STDIO_PASSED,   /* goes in as it is */
};

/*
 * A terminal, or one that may be passed: a pipe or FIFO, a connected unix stream socket, a regular file (not of /proc)
 * that is not open for both reading and writing, and /dev/null, zero, full, random, urandom. Everything else is
 * -EINVAL: a directory or an O_PATH fd is a way out of any isolation, and other sockets could be connected to the
 * host's network. The text has no subject: the caller puts "standard input" in front of it.
 */
must_check int stdio_type(int fd, enum stdio_type *ret, struct error *err);

#endif
