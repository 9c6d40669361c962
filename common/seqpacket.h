/*
 * seqpacket.h - bounded messages with fds over AF_UNIX SOCK_SEQPACKET, every wait with a deadline. Both ends treat
 * the other as hostile. Needs no capability.
 */
#ifndef AGENTSH_COMMON_SEQPACKET_H
#define AGENTSH_COMMON_SEQPACKET_H

#include "common/error.h"

#include <stddef.h>
#include <sys/types.h>

#define SEQPACKET_FDS_MAX 4

/* Wait without limit. */
#define SEQPACKET_FOREVER (-1)

/*
 * Connect to the socket at `path`; at most timeout_ms for the connect (a full backlog). Returns the fd, close-on-exec
 * and non-blocking. Credentials of the listener: seqpacket_peer_uid.
 */
must_check int seqpacket_connect(const char *path, int timeout_ms, struct error *err);

/* SO_PEERCRED's uid (for a client: whoever called listen). */
must_check int seqpacket_peer_uid(int fd, uid_t *ret, struct error *err);

/* Send one message with `fds_count` fds (0 is fine). Never raises SIGPIPE. -ETIMEDOUT after timeout_ms. */
must_check int seqpacket_send(int fd, const void *data, size_t size, const int *fds, size_t fds_count, int timeout_ms,
                              struct error *err);

/*
 * Receive one message of at most `max` bytes. Returns its size; 0 means the peer closed. Fds that came with it are
 * stored in fds[0..*ret_fds_count) (at most fds_max, close-on-exec, owned by the caller). A message or control data
 * that was cut, or more fds than fds_max: -EBADMSG, with every received fd closed. -ETIMEDOUT after timeout_ms.
 */
must_check ssize_t seqpacket_receive(int fd, void *data, size_t max, int *fds, size_t fds_max, size_t *ret_fds_count,
                                     int timeout_ms, struct error *err);

/* Bind and listen at `path` (an existing socket there is removed). umask does not matter: mode is set exactly. */
must_check int seqpacket_listen(const char *path, mode_t mode, int backlog, struct error *err);

#endif
