/*
 * stub_protocol.h - how a test has programs run inside a jail by stub_init, which stands in for agentsh-init there.
 *
 * SOCK_SEQPACKET on ATTACH_LISTEN_FD: struct stub_request with the fds 0 to 2 of the program and, when `passed`, the
 * program itself (so that it need not be in the view); the answer is its wait status as an int.
 */
#ifndef AGENTSH_TESTS_STUB_PROTOCOL_H
#define AGENTSH_TESTS_STUB_PROTOCOL_H

#define STUB_TEXT_MAX 4096

struct stub_request {
        int passed;
        int count;                /* of arguments */
        char text[STUB_TEXT_MAX]; /* NUL-terminated arguments, one behind the other */
};

#endif
