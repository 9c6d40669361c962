/* client.c - asks the monitor over its control socket. Runs inside sshd and su: no signal, no child, no heap. */
#include "pam_module/client.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/paths.h"
#include "common/process.h"
#include "common/seqpacket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define NO_FD (-EBADF)

static int time_left(uint64_t deadline)
{
        uint64_t now = process_monotonic_ms();

        return now >= deadline ? 0 : (int)(deadline - now > INT_MAX ? INT_MAX : deadline - now);
}

/* An application that closed its stdio must not find ours there. Takes fd, returns the one to use. */
static int raise_fd(int fd, struct error *err)
{
        cleanup_close int low = fd;
        int high;

        if (low < 0 || low > 2)
                return TAKE_FD(low);
        high = fcntl(low, F_DUPFD_CLOEXEC, 3);
        return high < 0 ? error_errno(err, errno, "cannot move a file descriptor out of stdio's place") : high;
}

int client_connect(const char *path, uint64_t deadline, struct error *err)
{
        cleanup_close int fd = raise_fd(seqpacket_connect(path, time_left(deadline), err), err);
        uid_t uid;
        int r;

        if (fd < 0)
                return fd;
        r = seqpacket_peer_uid(fd, &uid, err);
        if (r < 0)
                return r;
        if (uid != 0 && !OMIT_POINT("monitor of root"))
                return error_text(err, EPERM, "the listener of %s is uid %u and not root", path, (unsigned)uid);
        return TAKE_FD(fd);
}

static int receive_reply(int fd, enum control_verdict wanted, uint64_t deadline, struct control_reply *ret,
                         struct error *err)
{
        /* One byte more than a reply, so that a longer message does not pass for one. */
        char message[sizeof(struct control_reply) + 1];
        struct control_reply reply;
        size_t fds_count;
        ssize_t size = seqpacket_receive(fd, message, sizeof(message), NULL, 0, &fds_count, time_left(deadline), err);
        int r;

        if (size < 0)
                return error_prefix(err, "the monitor does not answer");
        if (size == 0)
                return error_text(err, ECONNRESET, "the monitor ended without an answer (its log says why)");
        r = control_parse_reply(message, (size_t)size, &reply, err);
        if (r < 0)
                return r;
        if (reply.verdict == CONTROL_REFUSED)
                return error_text(err, EACCES, "%s",
                                  reply.reason[0] != '\0' ? reply.reason : "the monitor gives no reason");
        if (reply.verdict != (uint32_t)wanted)
                return error_text(err, EPROTO, "the monitor answered another question than was asked");
        *ret = reply;
        return 0;
}

static int ask(int fd, const struct control_request *what, enum control_kind kind, enum control_verdict wanted,
               int pidfd, uint64_t deadline, struct control_reply *ret, struct error *err)
{
        struct control_request request = *what;
        int r;

        request.magic = CONTROL_MAGIC;
        request.kind = (uint32_t)kind;
        r = seqpacket_send(fd, &request, sizeof(request), &pidfd, pidfd >= 0 ? 1 : 0, time_left(deadline), err);
        if (r < 0)
                return r;
        return receive_reply(fd, wanted, deadline, ret, err);
}

int client_account(int fd, const struct control_request *request, uint64_t deadline, struct error *err)
{
        struct control_reply reply;

        return ask(fd, request, CONTROL_ACCOUNT, CONTROL_ALLOWED, NO_FD, deadline, &reply, err);
}

int client_open(int fd, const struct control_request *request, uint64_t deadline, struct control_reply *ret_reply,
                struct error *err)
{
        static const char below[] = AGENTSH_SESSIONS_DIR "/";
        cleanup_close int pidfd = raise_fd(process_open_pidfd(getpid(), err), err);
        struct control_reply reply;
        int r;

        if (pidfd < 0)
                return pidfd;
        r = ask(fd, request, CONTROL_OPEN, CONTROL_READY, pidfd, deadline, &reply, err);
        if (r < 0)
                return r;
        if (strncmp(reply.socket, below, strlen(below)) != 0 || parse_path(reply.socket, NULL) < 0)
                return error_text(err, EBADMSG, "the monitor named %s, which is not below %s", reply.socket, below);
        *ret_reply = reply;
        return 0;
}

int client_close(int fd, uint64_t deadline, struct error *err)
{
        struct control_request request = { 0 };
        struct control_reply reply;

        return ask(fd, &request, CONTROL_CLOSE, CONTROL_GONE, NO_FD, deadline, &reply, err);
}

void client_abandon(int fd)
{
        struct control_request request = { .magic = CONTROL_MAGIC, .kind = CONTROL_CLOSE };

        if (seqpacket_send(fd, &request, sizeof(request), NULL, 0, 0, NULL) < 0)
                return; /* the connection's end, which follows, says the same */
}
