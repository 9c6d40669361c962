/* server.c - one connection of the PAM module. Root. Trusts the peer no further than "is root" and checked structs. */
#include "monitor/server.h"

#include "common/cleanup.h"
#include "common/control.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "monitor/audit.h"
#include "monitor/log.h"
#include "monitor/session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <syslog.h>

#define FIRST_REQUEST_MS 5000
#define NEXT_REQUEST_MS  120000 /* from the account phase to the session: authentication tokens may lie between */
#define REPLY_MS         5000

static int send_reply(int connection, const struct control_reply *reply, struct error *err)
{
        return seqpacket_send(connection, reply, sizeof(*reply), NULL, 0, REPLY_MS, err);
}

static int reply_verdict(int connection, enum control_verdict verdict, const char *reason, struct error *err)
{
        struct control_reply reply = { .magic = CONTROL_MAGIC, .verdict = verdict };

        (void)snprintf(reply.reason, sizeof(reply.reason), "%s", reason);
        return send_reply(connection, &reply, err);
}

static int refuse(int connection, const struct control_request *request, const struct error *why, struct error *err)
{
        audit_refusal(request->user, request->service, request->rhost, why->text);
        return reply_verdict(connection, CONTROL_REFUSED, why->text, err);
}

/* A request and the fd that came with it (-EBADF: none). 0: the peer closed. */
static int receive_request(int connection, struct control_request *ret, int *ret_fd, int timeout_ms,
                           struct error *err)
{
        char buffer[sizeof(*ret) + 1];
        int fds[1] = { -EBADF };
        size_t fds_count = 0;
        ssize_t size = seqpacket_receive(connection, buffer, sizeof(buffer), fds, 1, &fds_count, timeout_ms, err);
        int r;

        if (size <= 0)
                return size < 0 ? (int)size : 0;
        r = control_parse_request(buffer, (size_t)size, ret, err);
        if (r < 0 || fds_count == 0 || ret->kind != CONTROL_OPEN)
                cleanup_close_fd(&fds[0]);
        if (r < 0)
                return r;
        *ret_fd = fds[0];
        return 1;
}

static int block_signals(int *ret_fd, struct error *err)
{
        sigset_t set;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return error_errno(err, errno, "cannot block signals");
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return error_errno(err, errno, "cannot make a signalfd");
        *ret_fd = fd;
        return 0;
}

static int reply_ready(struct session *session, struct error *err)
{
        struct control_reply reply = { .magic = CONTROL_MAGIC, .verdict = CONTROL_READY };

        memcpy(reply.session, session->rundir.id, sizeof(reply.session));
        session_socket_path(session, reply.socket, sizeof(reply.socket));
        return send_reply(session->connection, &reply, err);
}

static int live(struct session *session, struct error *err)
{
        struct error ignored = ERROR_INIT;
        int r = reply_ready(session, err);

        if (r < 0) {
                session->ending = ENDING_CALLER;
        } else {
                log_line(LOG_INFO, "session %s of %s opened by %s", session->rundir.id, session->request.user,
                         session->request.service);
                if (session_start(session, err) < 0)
                        log_line(LOG_ERR, "session %s of %s: %s", session->rundir.id, session->request.user,
                                 err->text);
                session_watch(session);
        }
        r = session_close(session, err);
        if (session->ending == ENDING_CLOSED && reply_verdict(session->connection, CONTROL_GONE, "", &ignored) < 0)
                log_line(LOG_DEBUG, "session %s: nobody waits for its end", session->state.id);
        return r;
}

static int open_session(int connection, const struct control_request *request, int caller_pidfd, struct error *err)
{
        cleanup_free struct session *session = calloc(1, sizeof(*session));
        cleanup_close int signal_fd = -EBADF;
        struct error why = ERROR_INIT;

        if (session == NULL)
                return error_errno(err, ENOMEM, "cannot open a session");
        session->request = *request;
        session->connection = connection;
        session->caller_pidfd = caller_pidfd;
        if (caller_pidfd < 0)
                return error_text(err, EBADMSG, "a request for a session came without its process");
        if (account_admit(request, &session->account, &why) < 0 || block_signals(&signal_fd, &why) < 0)
                return refuse(connection, request, &why, err);
        session->signal_fd = signal_fd;
        if (session_open(session, &why) < 0)
                return refuse(connection, request, &why, err);
        return live(session, err);
}

static int answer_account(int connection, const struct control_request *request, bool *ret_refused, struct error *err)
{
        cleanup_free struct account *account = calloc(1, sizeof(*account));
        struct error why = ERROR_INIT;

        if (account == NULL)
                return error_errno(err, ENOMEM, "cannot check an account");
        *ret_refused = account_admit(request, account, &why) < 0;
        if (*ret_refused)
                return refuse(connection, request, &why, err);
        return reply_verdict(connection, CONTROL_ALLOWED, "", err);
}

int server_run(int connection, struct error *err)
{
        int timeout = FIRST_REQUEST_MS;
        uid_t peer;
        int r = seqpacket_peer_uid(connection, &peer, err);

        if (r < 0)
                return r;
        if (peer != 0)
                return error_text(err, EPERM, "uid %u connected to the control socket", (unsigned)peer);
        for (;;) {
                cleanup_close int caller_pidfd = -EBADF;
                struct control_request request;
                bool refused = false;

                r = receive_request(connection, &request, &caller_pidfd, timeout, err);
                if (r <= 0 || request.kind == CONTROL_CLOSE)
                        return r < 0 ? r : 0;
                if (request.kind == CONTROL_OPEN)
                        return open_session(connection, &request, caller_pidfd, err);
                r = answer_account(connection, &request, &refused, err);
                if (r < 0 || refused)
                        return r;
                timeout = NEXT_REQUEST_MS;
        }
}
