/*
 * attach.h - the protocol between agentsh (agent uid, outside) and agentsh-init (agent uid, inside).
 *
 * SOCK_SEQPACKET, one connection per channel. Both ends treat the other as hostile: sizes are exact or bounded,
 * unknown kinds end the connection, MSG_CTRUNC is refused. What agentsh takes from init is a status, a set of fixed
 * texts by number, and for a terminal one fd that must be a pty master.
 *
 *   agentsh                               init
 *   ATTACH_REQUEST + up to 3 fds      ->           header, then argv and environment as NUL-terminated strings
 *                                     <-  ATTACH_STARTED (+ the pty master when the request asked for one)
 *                                      |  ATTACH_FAILED  (text; init could not start it, or the monitor says why not)
 *   ATTACH_SIGNAL n                   ->           to the channel's foreground group (pty) or process group
 *                                     <-  ATTACH_EXITED wait status, limits hit, why the session ends if it does
 *
 * EOF from agentsh hangs the channel up (SIGHUP, then SIGCONT); EOF from init without ATTACH_EXITED means the
 * isolation is gone. Window size and termios travel through the pty master, which agentsh holds.
 *
 * A session whose isolation is a machine of its own has agentsh-relay at the other end, and the pty is behind it, out
 * of reach. There (root's SESSION_REMOTE_FILE says so) agentsh makes a pair of stream sockets and passes one along
 * with the request, STARTED brings no fd, and size and settings are messages:
 *
 *   ATTACH_WINDOW size, termios       ->           of the terminal
 *
 * Root may connect to agentsh-relay, too, and says nothing: it is told ATTACH_STARTED when the machine stands still, which
 * lasts until one end hangs up.
 */
#ifndef AGENTSH_COMMON_ATTACH_H
#define AGENTSH_COMMON_ATTACH_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define ATTACH_MAGIC       0x41475303U
#define ATTACH_MESSAGE_MAX (128 * 1024) /* a whole request: header, command, environment */
#define ATTACH_STRINGS_MAX 1024         /* strings in a request */

enum attach_kind {
        ATTACH_REQUEST = 1,
        ATTACH_STARTED = 2,
        ATTACH_FAILED = 3,
        ATTACH_SIGNAL = 4,
        ATTACH_EXITED = 5,
        ATTACH_WINDOW = 6,
};

/* Which of 0, 1, 2 came as an fd (in ascending order); the others are to be the pty's slave. */
#define ATTACH_STDIN_PASSED  (1U << 0)
#define ATTACH_STDOUT_PASSED (1U << 1)
#define ATTACH_STDERR_PASSED (1U << 2)
#define ATTACH_PASSED_ALL    7U
/* Behind them a stream socket came that stands for the terminal; only to agentsh-relay, and only with a terminal. */
#define ATTACH_TERMINAL_PASSED (1U << 3)

struct attach_termios { /* struct termios2 in fixed widths */
        uint32_t iflag, oflag, cflag, lflag;
        uint32_t ispeed, ospeed;
        uint8_t line;
        uint8_t cc[19];
};

struct attach_request {
        uint32_t magic;
        uint32_t kind;             /* ATTACH_REQUEST */
        uint32_t passed;           /* ATTACH_*_PASSED; not all set: a pty is wanted for the rest */
        uint32_t login;            /* 1: as a login shell ("-" in front of its name); 0: not, then with a command */
        uint32_t command_size;     /* bytes of the command with its NUL; 0: none, an interactive login */
        uint32_t environment_size; /* bytes of "NAME=VALUE\0"... behind the command */
        uint16_t rows, columns, xpixel, ypixel; /* pty only */
        struct attach_termios termios;          /* pty only; all zero: the defaults */
        /* then: command, environment */
};

struct attach_reply {
        uint32_t magic;
        uint32_t kind;       /* STARTED, FAILED, EXITED */
        int32_t wait_status; /* EXITED */
        uint32_t hit;        /* EXITED: LIMIT_MASK bits of status.h */
        uint32_t ending;     /* EXITED: enum ending of status.h */
        char text[256];      /* FAILED: one line */
};

struct attach_signal {
        uint32_t magic;
        uint32_t kind; /* ATTACH_SIGNAL */
        uint32_t number;
};

struct attach_window {
        uint32_t magic;
        uint32_t kind; /* ATTACH_WINDOW */
        uint16_t rows, columns, xpixel, ypixel;
        struct attach_termios termios; /* all zero: they stay as they are */
};

/* A request taken apart; the pointers lie in the caller's buffer. */
struct attach_parts {
        struct attach_request header;
        const char *command;     /* NULL: none, an interactive login */
        const char *environment; /* environment_size bytes of NUL-terminated NAME=VALUE strings; may be NULL when 0 */
};

/*
 * Check a received request of `size` bytes and take it apart: exact sizes, NULs where they belong, at most
 * ATTACH_STRINGS_MAX strings, each environment string with a valid name, `fds_count` fitting `passed`. Pure: fuzzed.
 */
must_check int attach_parse_request(const void *data, size_t size, size_t fds_count, struct attach_parts *ret,
                                    struct error *err);

/* The same for a reply (exact size, kind, text terminated and printable). */
must_check int attach_parse_reply(const void *data, size_t size, struct attach_reply *ret, struct error *err);

/* The same for a signal message: HUP INT QUIT TERM USR1 USR2 CONT TSTP only. */
must_check int attach_parse_signal(const void *data, size_t size, struct attach_signal *ret, struct error *err);

/* The same for a window message. */
must_check int attach_parse_window(const void *data, size_t size, struct attach_window *ret, struct error *err);

#endif
