/* server.c - one connection of the PAM module. Root. Trusts the peer no further than "is root" and checked structs. */
#include "monitor/server.h"

#include "common/cleanup.h"
#include "common/control.h"
#include "common/fault.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "monitor/audit.h"
#include "monitor/log.h"
#include "monitor/session.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <syslog.h>

#define FIRST_REQUEST_MS 5000
#define NEXT_REQUEST_MS  120000 /* from the account phase to the session: authentication tokens may lie between */
#define REPLY_MS         5000
#define ADMITTED_MS      2000 /* for how long the verdict of the account phase holds for the session that follows */

/* One connection, and what its account phase leaves for its session. */
struct visit {
        int connection;                 /* not owned */
        struct account *account;        /* as admitted; NULL: not yet. Owned */
        struct control_request request; /* for which */
        uint64_t admitted_ms;
        struct session_ahead ahead;
};

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
static int receive_request(int connection, struct control_request *ret, int *ret_fd, int timeout_ms, struct error *err)
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
                        log_line(LOG_ERR, "session %s of %s: %s", session->rundir.id, session->request.user, err->text);
                /* What opening took is free again; from here on the monitor waits, and there may be many. */
                (void)malloc_trim(0);
                session_watch(session);
        }
        r = session_close(session, err);
        if (session->ending == ENDING_CLOSED && reply_verdict(session->connection, CONTROL_GONE, "", &ignored) < 0)
                log_line(LOG_DEBUG, "session %s: nobody waits for its end", session->state.id);
        return r;
}

/* Whether the account phase of the same login has admitted it a moment ago. */
static bool is_admitted(const struct visit *visit, const struct control_request *request)
{
        return visit->account != NULL && strcmp(visit->request.user, request->user) == 0 &&
               strcmp(visit->request.service, request->service) == 0 &&
               process_monotonic_ms() - visit->admitted_ms < ADMITTED_MS;
}

static int admit(struct visit *visit, struct session *session, struct error *err)
{
        if (!is_admitted(visit, &session->request))
                return account_admit(&session->request, &session->account, err);
        session->account = *visit->account;
        free(TAKE_PTR(visit->account));
        return 0;
}

static int open_session(struct visit *visit, const struct control_request *request, int caller_pidfd, struct error *err)
{
        cleanup_free struct session *session = calloc(1, sizeof(*session));
        cleanup_close int signal_fd = -EBADF;
        struct error why = ERROR_INIT;

        if (session == NULL)
                return error_errno(err, ENOMEM, "cannot open a session");
        session->request = *request;
        session->connection = visit->connection;
        session->caller_pidfd = caller_pidfd;
        session->ahead = &visit->ahead;
        if (caller_pidfd < 0)
                return error_text(err, EBADMSG, "a request for a session came without its process");
        if (admit(visit, session, &why) < 0 || account_check_ssh(request, &session->account, &why) < 0 ||
            block_signals(&signal_fd, &why) < 0)
                return refuse(visit->connection, request, &why, err);
        session->signal_fd = signal_fd;
        if (session_open(session, &why) < 0) {
                int r = refuse(visit->connection, request, &why, err);

                return session->left_behind ? error_text(err, EBUSY, "a set-up that failed is left to the sweep") : r;
        }
        return live(session, err);
}

static int answer_account(struct visit *visit, const struct control_request *request, bool *ret_refused,
                          struct error *err)
{
        cleanup_free struct account *account = calloc(1, sizeof(*account));
        struct error why = ERROR_INIT;
        int r;

        if (account == NULL)
                return error_errno(err, ENOMEM, "cannot check an account");
        *ret_refused = account_admit(request, account, &why) < 0;
        if (*ret_refused)
                return refuse(visit->connection, request, &why, err);
        r = reply_verdict(visit->connection, CONTROL_ALLOWED, "", err);
        if (r < 0)
                return r;
        /* Most callers open a session next, after work of their own: meanwhile some of ours can be done. */
        session_prepare(&visit->ahead, account->tier);
        free(visit->account);
        visit->account = TAKE_PTR(account);
        visit->request = *request;
        visit->admitted_ms = process_monotonic_ms();
        return 0;
}

static void visit_done(struct visit *visit)
{
        session_ahead_done(&visit->ahead);
        free(visit->account);
}
#define cleanup_visit __attribute__((cleanup(visit_done)))

int server_run(int connection, struct error *err)
{
        cleanup_visit struct visit visit = { .connection = connection, .ahead = SESSION_AHEAD_INIT };
        int timeout = FIRST_REQUEST_MS;
        uid_t peer;
        int r = seqpacket_peer_uid(connection, &peer, err);

        if (r < 0)
                return r;
        if (peer != 0 && !OMIT_POINT("peer of the monitor"))
                return error_text(err, EPERM, "uid %u connected to the control socket", (unsigned)peer);
        for (;;) {
                cleanup_close int caller_pidfd = -EBADF;
                struct control_request request = { .kind = 0 };
                bool refused = false;

                r = receive_request(connection, &request, &caller_pidfd, timeout, err);
                if (r <= 0 || request.kind == CONTROL_CLOSE)
                        return r < 0 ? r : 0;
                if (request.kind == CONTROL_OPEN)
                        return open_session(&visit, &request, caller_pidfd, err);
                r = answer_account(&visit, &request, &refused, err);
                if (r < 0 || refused)
                        return r;
                timeout = NEXT_REQUEST_MS;
        }
}
