/*
 * session_watch.c - waits for the end of a session. Root. Reads from inside only struct status_report, and no more of
 * them a second than REPORTS_PER_SECOND.
 */
#include "monitor/session.h"

#include "common/attach.h"
#include "common/cleanup.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "monitor/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <syslog.h>

#define REPORTS_PER_SECOND 200
#define FAREWELL_MS        100 /* for init to pass the reason on before it is killed */
#define IDLE_SAMPLE_MS     5000
#define IDLE_CPU_USEC      100 /* less CPU time than this between two samples is no activity */
#define WAITING_MAX        64

enum watched { WATCH_CONNECTION, WATCH_CALLER, WATCH_SIGNAL, WATCH_STATUS, WATCH_INIT, WATCH_ATTACH, WATCHED };

struct watch {
        struct session *session;
        uint64_t second_start; /* of the current second of reports */
        unsigned reports;      /* in it */
        uint64_t active_ms;    /* when CPU time was last seen to grow */
        uint64_t active_cpu_usec;
        uint64_t next_sample_ms;
        int waiting[WAITING_MAX]; /* attaches answered with the failure, until they have read it and gone */
        size_t waiting_count;
};

static void end(struct session *session, enum ending ending)
{
        if (session->ending == ENDING_NONE)
                session->ending = ending;
}

static void handle_connection(struct session *session)
{
        struct control_request request;
        struct error err = ERROR_INIT;
        size_t fds_count;
        char buffer[sizeof(request) + 1];
        ssize_t size = seqpacket_receive(session->connection, buffer, sizeof(buffer), NULL, 0, &fds_count, 0, &err);

        if (size == -ETIMEDOUT)
                return;
        if (size > 0 && control_parse_request(buffer, (size_t)size, &request, &err) >= 0 &&
            request.kind == CONTROL_CLOSE) {
                end(session, ENDING_CLOSED);
                return;
        }
        if (size > 0)
                log_line(LOG_WARNING, "session %s: a wrong request on its connection", session->rundir.id);
        end(session, ENDING_CALLER);
}

static void handle_signal(struct session *session)
{
        struct signalfd_siginfo info;

        if (read(session->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
                end(session, ENDING_ADMIN);
}

static void send_notice(const struct session *session, enum ending ending)
{
        struct status_notice notice = { .magic = STATUS_MAGIC, .hit = session->hit, .ending = ending };
        struct error err = ERROR_INIT;

        if (seqpacket_send(session->isolation.status_fd, &notice, sizeof(notice), NULL, 0, 0, &err) < 0)
                log_line(LOG_DEBUG, "session %s: init takes no notice: %s", session->rundir.id, err.text);
}

static void update_state(struct session *session, uint32_t channels)
{
        struct error err = ERROR_INIT;

        if (session->state.channels == channels)
                return;
        session->state.channels = channels;
        if (session_state_write(session->rundir.fd, &session->state, &err) < 0)
                log_line(LOG_WARNING, "session %s: %s", session->rundir.id, err.text);
}

static void handle_status(struct watch *watch)
{
        struct session *session = watch->session;
        struct status_report report;
        struct error err = ERROR_INIT;
        char buffer[sizeof(report)];
        /* The size of what was sent, even if it is larger than what was read. */
        ssize_t size = recv(session->isolation.status_fd, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_TRUNC);

        if (size < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (size <= 0 || status_parse_report(buffer, (size_t)size, &report, &err) < 0) {
                if (size > 0)
                        log_line(LOG_WARNING, "session %s: process 1 sent %s", session->rundir.id, err.text);
                end(session, ENDING_INIT);
                return;
        }
        watch->reports++;
        if (report.kind == STATUS_CLOSED) {
                if (session_read_limits(session, &err) < 0)
                        log_line(LOG_WARNING, "session %s: %s", session->rundir.id, err.text);
                send_notice(session, ENDING_NONE);
        }
        update_state(session, report.channels);
}

/*
 * Drop what a told client has sent, unread: the request holds its standard streams, and as long as they lie here, sshd
 * waits for their end. Closing the connection at once instead would take the text from it that it is to read.
 */
static bool drop_messages(int fd)
{
        ssize_t size;

        do
                size = recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC);
        while (size > 0);
        return size < 0 && errno == EAGAIN;
}

static void tend_waiting(struct watch *watch, const struct pollfd *items)
{
        size_t kept = 0;

        for (size_t i = 0; i < watch->waiting_count; i++) {
                if (items[i].revents == 0 || drop_messages(watch->waiting[i]))
                        watch->waiting[kept++] = watch->waiting[i];
                else
                        cleanup_close_fd(&watch->waiting[i]);
        }
        watch->waiting_count = kept;
}

/* The isolation could not be made: tell whoever attaches. */
static void answer_waiting(struct watch *watch)
{
        struct session *session = watch->session;
        struct attach_reply reply = { .magic = ATTACH_MAGIC, .kind = ATTACH_FAILED };
        struct error err = ERROR_INIT;
        int fd = accept4(session->attach_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
                return;
        (void)snprintf(reply.text, sizeof(reply.text), "%.255s", session->failure.text);
        if (seqpacket_send(fd, &reply, sizeof(reply), NULL, 0, 0, &err) < 0)
                log_line(LOG_DEBUG, "session %s: %s", session->rundir.id, err.text);
        if (watch->waiting_count == WAITING_MAX)
                cleanup_close_fd(&watch->waiting[--watch->waiting_count]);
        watch->waiting[watch->waiting_count++] = fd;
}

static void check_idle(struct watch *watch, uint64_t now)
{
        struct session *session = watch->session;
        struct error err = ERROR_INIT;

        if (session->account.policy.idle_time == 0 || now < watch->next_sample_ms)
                return;
        watch->next_sample_ms = now + IDLE_SAMPLE_MS;
        if (session_read_limits(session, &err) < 0) {
                log_line(LOG_ERR, "session %s: idle_time cannot be measured: %s", session->rundir.id, err.text);
                end(session, ENDING_IDLE);
                return;
        }
        if (session->usage.cpu_usec - watch->active_cpu_usec >= IDLE_CPU_USEC) {
                watch->active_ms = now;
                watch->active_cpu_usec = session->usage.cpu_usec;
        }
        if (now - watch->active_ms >= session->account.policy.idle_time * 1000) {
                session->hit |= LIMIT_MASK(IDLE);
                end(session, ENDING_IDLE);
        }
}

static void check_time(struct watch *watch, uint64_t now)
{
        struct session *session = watch->session;
        uint64_t limit = session->account.policy.session_time;

        if (limit != 0 && now - session->opened_ms >= limit * 1000) {
                session->hit |= LIMIT_MASK(TIME);
                end(session, ENDING_TIME);
        }
        check_idle(watch, now);
}

static void sooner(int *timeout, uint64_t now, uint64_t deadline)
{
        uint64_t left = deadline > now ? deadline - now : 0;

        if (left > 3600000)
                left = 3600000;
        if (*timeout < 0 || left < (uint64_t)*timeout)
                *timeout = (int)left;
}

static int next_timeout(const struct watch *watch, uint64_t now, bool reports_paused)
{
        const struct session *session = watch->session;
        int timeout = -1;

        if (session->account.policy.session_time != 0)
                sooner(&timeout, now, session->opened_ms + session->account.policy.session_time * 1000);
        if (session->account.policy.idle_time != 0)
                sooner(&timeout, now, watch->next_sample_ms);
        if (reports_paused)
                sooner(&timeout, now, watch->second_start + 1000);
        return timeout;
}

static void wait_once(struct watch *watch)
{
        struct session *session = watch->session;
        bool failed = session->failure.number != 0;
        uint64_t now = process_monotonic_ms();
        struct pollfd items[WATCHED + WAITING_MAX];
        bool paused;

        if (now - watch->second_start >= 1000) {
                watch->second_start = now;
                watch->reports = 0;
        }
        paused = watch->reports >= REPORTS_PER_SECOND;
        items[WATCH_CONNECTION] = (struct pollfd){ .fd = session->connection, .events = POLLIN };
        items[WATCH_CALLER] = (struct pollfd){ .fd = session->caller_pidfd, .events = POLLIN };
        items[WATCH_SIGNAL] = (struct pollfd){ .fd = session->signal_fd, .events = POLLIN };
        items[WATCH_STATUS] = (struct pollfd){ .fd = paused ? -1 : session->isolation.status_fd, .events = POLLIN };
        items[WATCH_INIT] = (struct pollfd){ .fd = session->isolation.pidfd, .events = POLLIN };
        items[WATCH_ATTACH] = (struct pollfd){ .fd = failed ? session->attach_fd : -1, .events = POLLIN };
        for (size_t i = 0; i < watch->waiting_count; i++)
                items[WATCHED + i] = (struct pollfd){ .fd = watch->waiting[i], .events = POLLIN };
        if (poll(items, WATCHED + watch->waiting_count, next_timeout(watch, now, paused)) < 0) {
                if (errno != EINTR)
                        end(session, ENDING_INIT);
                return;
        }
        if (items[WATCH_CALLER].revents != 0)
                end(session, ENDING_CALLER);
        if (items[WATCH_CONNECTION].revents != 0)
                handle_connection(session);
        if (items[WATCH_SIGNAL].revents != 0)
                handle_signal(session);
        if (items[WATCH_STATUS].revents != 0)
                handle_status(watch);
        if (items[WATCH_INIT].revents != 0)
                end(session, ENDING_INIT);
        tend_waiting(watch, items + WATCHED);
        if (items[WATCH_ATTACH].revents != 0)
                answer_waiting(watch);
        check_time(watch, process_monotonic_ms());
}

/* Endings that come over a living session: its channels are told why before they are cut off. */
static void say_farewell(struct session *session)
{
        struct pollfd item = { .fd = session->isolation.pidfd, .events = POLLIN };

        if (session->ending != ENDING_TIME && session->ending != ENDING_IDLE && session->ending != ENDING_ADMIN)
                return;
        if (session->isolation.status_fd < 0 || session->isolation.pidfd < 0)
                return;
        send_notice(session, session->ending);
        (void)poll(&item, 1, FAREWELL_MS);
}

void session_watch(struct session *session)
{
        struct watch watch = { .session = session };

        watch.second_start = watch.active_ms = process_monotonic_ms();
        watch.next_sample_ms = watch.active_ms + IDLE_SAMPLE_MS;
        while (session->ending == ENDING_NONE)
                wait_once(&watch);
        say_farewell(session);
        for (size_t i = 0; i < watch.waiting_count; i++)
                cleanup_close_fd(&watch.waiting[i]);
}
