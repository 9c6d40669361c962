/* audit.c - the record of sessions. Appends with one write(2) a line, so that parallel monitors do not mix. */
#include "monitor/audit.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/paths.h"
#include "common/process.h"
#include "monitor/log.h"
#include "monitor/session.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define AUDIT_FILE "sessions.jsonl"
#define SEARCHED   (1024 * 1024) /* bytes of it in which the sweep looks for a record */

static const char *const ending_texts[] = {
#define ENDING_TEXT(name, text) [ENDING_##name] = text,
        ENDING_LIST(ENDING_TEXT)
#undef ENDING_TEXT
};

static const char *const limit_names[] = {
#define LIMIT_NAME(name, key, text) [LIMIT_BIT_##name] = key,
        LIMIT_LIST(LIMIT_NAME)
#undef LIMIT_NAME
};

static int open_file(int *ret_fd, struct error *err)
{
        cleanup_close int dir = -EBADF, fd = -EBADF;
        int r;

        dir = fd_open_absolute(AGENTSH_LOG_DIR, O_RDONLY | O_DIRECTORY, 0, err);
        if (dir < 0)
                return dir;
        r = fd_check_root_owned(dir, S_IFDIR, AGENTSH_LOG_DIR, err);
        if (r < 0)
                return r;
        fd = fd_open_beneath(dir, AUDIT_FILE, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK, 0600, err);
        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFREG, AGENTSH_LOG_DIR "/" AUDIT_FILE, err);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int audit_check(struct error *err)
{
        cleanup_close int fd = -EBADF;

        return open_file(&fd, err);
}

static void write_time(struct json *json, const char *key, int64_t seconds)
{
        time_t when = (time_t)seconds;
        struct tm parts;
        char text[32] = "";

        if (gmtime_r(&when, &parts) != NULL)
                (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
        json_string(json, key, text);
}

static void write_identity(struct json *json, const struct session_state *state, enum ending ending)
{
        json_string(json, "id", state->id);
        json_string(json, "account", state->account);
        json_number(json, "uid", state->uid);
        json_string(json, "service", state->service);
        json_string(json, "rhost", state->rhost);
        json_string(json, "ruser", state->ruser);
        json_string(json, "tty", state->tty);
        json_string(json, "tier", state->tier);
        write_time(json, "start", state->opened_at);
        write_time(json, "end", process_realtime());
        json_string(json, "why", ending_texts[ending]);
}

static void write_usage(struct json *json, const struct session *session)
{
        json_number(json, "seconds", (int64_t)((process_monotonic_ms() - session->opened_ms) / 1000));
        json_number(json, "cpu_usec", (int64_t)session->usage.cpu_usec);
        json_number(json, "memory_peak", (int64_t)session->usage.memory_peak);
        json_number(json, "tasks_peak", (int64_t)session->usage.tasks_peak);
        json_number(json, "oom_kills", (int64_t)session->usage.oom_kills);
        json_number(json, "tasks_refused", (int64_t)session->usage.tasks_refused);
        json_number(json, "cpu_throttled", (int64_t)session->usage.cpu_throttled);
        json_begin_array(json, "limits_hit");
        for (unsigned bit = 0; bit < LIMIT_BITS; bit++)
                if ((session->hit & (1U << bit)) != 0)
                        json_string(json, NULL, limit_names[bit]);
        json_end_array(json);
        if (session->failure.number != 0)
                json_string(json, "failure", session->failure.text);
}

/* The last record was cut, by a full disk for example: the next one needs a line of its own all the same. */
static bool ends_within_a_line(int fd)
{
        struct stat st;
        char last = '\n';

        if (OMIT_POINT("record on its own line") || fstat(fd, &st) < 0 || st.st_size == 0)
                return false;
        return pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
}

/* Whether a session has its record: its monitor may have been killed after it wrote one. Looks at the newest ones. */
static bool is_recorded(int fd, const char *id)
{
        char text[4096 + 64], wanted[64];
        struct stat st;
        off_t at, first;

        (void)snprintf(wanted, sizeof(wanted), "{\"id\":\"%s\"", id);
        if (OMIT_POINT("record once") || fstat(fd, &st) < 0)
                return false;
        first = st.st_size > SEARCHED ? st.st_size - SEARCHED : 0;
        /* Pieces that overlap: what is looked for is shorter than 64 bytes. */
        for (at = first; at < st.st_size; at += 4096) {
                ssize_t got = pread(fd, text, sizeof(text), at);

                if (got > 0 && memmem(text, (size_t)got, wanted, strlen(wanted)) != NULL)
                        return true;
        }
        return false;
}

static void append_text(const struct session_state *state, const char *text, bool lost)
{
        cleanup_close int fd = -EBADF;
        struct error err = ERROR_INIT;

        if (open_file(&fd, &err) >= 0) {
                /* The first byte is a line break that is seldom needed. */
                text += !ends_within_a_line(fd);
                if ((lost && is_recorded(fd, state->id)) || fd_write_all(fd, text, strlen(text), AUDIT_FILE, &err) >= 0)
                        return;
        }
        log_line(LOG_ERR, "audit: session %s was not recorded: %s", state->id, err.text);
}

/* `session` may be NULL: then its usage is not known. */
static void append_line(const struct session_state *state, const struct session *session, enum ending ending)
{
        char line[4096] = "";
        FILE *stream = fmemopen(line, sizeof(line) - 1, "w");
        struct json json = { .stream = stream };

        if (stream == NULL) {
                log_line(LOG_ERR, "audit: session %s was not recorded: no memory", state->id);
                return;
        }
        (void)fputc('\n', stream);
        json_begin_object(&json, NULL);
        write_identity(&json, state, ending);
        if (session != NULL)
                write_usage(&json, session);
        json_end_object(&json);
        (void)fputc('\n', stream);
        if (fclose(stream) != 0)
                log_line(LOG_ERR, "audit: session %s was not recorded: its record is too long", state->id);
        else
                append_text(state, line, session == NULL);
}

void audit_session(const struct session *session)
{
        enum ending ending = session->failure.number != 0 ? ENDING_FAILED : session->ending;

        append_line(&session->state, session, ending);
        log_line(LOG_INFO, "session %s of %s (%s from %s) ended: %s", session->state.id, session->state.account,
                 session->state.service, session->state.rhost[0] != '\0' ? session->state.rhost : "this host",
                 ending_texts[ending]);
}

void audit_lost(const struct session_state *state)
{
        append_line(state, NULL, ENDING_MONITOR);
        log_line(LOG_WARNING, "session %s of %s lost its monitor and was removed", state->id, state->account);
}

void audit_refusal(const char *user, const char *service, const char *rhost, const char *reason)
{
        log_line(LOG_NOTICE, "login of %s by %s from %s refused: %s", user, service,
                 rhost[0] != '\0' ? rhost : "this host", reason);
}
