/* session_list.c - reads and ends live sessions. Runs as root; reads root's files only. */
#include "admin/session_list.h"

#include "admin/places.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define POLL_MS 10

static int filter_sessions(const struct dirent *entry)
{
        return parse_is_session_id(entry->d_name);
}

/* A state that names another session than its directory is nobody's. */
static bool read_one(int sessions, const char *id, struct session_state *ret)
{
        cleanup_close int dir = fd_open_beneath(sessions, id, O_PATH | O_DIRECTORY, 0, NULL);

        return dir >= 0 && session_state_read(dir, ret, NULL) == 0 && strcmp(ret->id, id) == 0;
}

int session_list_read(const char *account, struct session_list *ret, struct error *err)
{
        cleanup_close int sessions = places_open_sessions(err);
        cleanup_name_list struct name_list names = { 0 };
        struct session_list list = { 0 };
        int r;

        if (sessions == -ENOENT) {
                *ret = list;
                return 0;
        }
        if (sessions < 0)
                return sessions;
        r = places_list(sessions, filter_sessions, &names, err);
        if (r < 0)
                return r;
        list.state = calloc((size_t)names.count + 1, sizeof(*list.state));
        if (list.state == NULL)
                return error_errno(err, ENOMEM, "cannot list the sessions");
        for (int i = 0; i < names.count; i++) {
                struct session_state *state = &list.state[list.count];

                if (read_one(sessions, names.entry[i]->d_name, state) &&
                    (account == NULL || strcmp(account, state->account) == 0))
                        list.count++;
        }
        *ret = list;
        return 0;
}

void session_list_done(struct session_list *list)
{
        free(list->state);
        *list = (struct session_list){ 0 };
}

bool session_is_live(const struct session_state *state)
{
        uint64_t start;

        return state->monitor_pid > 0 && process_read_start_time(state->monitor_pid, &start, NULL) == 0 &&
               start == state->monitor_start_time;
}

bool session_parse_cpu_stat(const char *text, uint64_t *ret)
{
        static const char KEY[] = "usage_usec ";

        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
                char number[32];
                const char *at = line + sizeof(KEY) - 1;

                if (strncmp(line, KEY, sizeof(KEY) - 1) != 0)
                        continue;
                if (strcspn(at, "\n") >= sizeof(number))
                        return false;
                (void)snprintf(number, sizeof(number), "%.*s", (int)strcspn(at, "\n"), at);
                return parse_number(number, 0, UINT64_MAX, ret, NULL) == 0;
        }
        return false;
}

static bool read_counter(int dir, const char *file, uint64_t *ret)
{
        char text[64];

        return fd_read_file_at(dir, file, text, sizeof(text), NULL) == 0 &&
               parse_number(text, 0, UINT64_MAX, ret, NULL) == 0;
}

static bool read_cpu(int dir, uint64_t *ret)
{
        char text[4096];
        uint64_t nanoseconds;

        if (read_counter(dir, "cpuacct.usage", &nanoseconds)) {
                *ret = nanoseconds / 1000;
                return true;
        }
        return fd_read_file_at(dir, "cpu.stat", text, sizeof(text), NULL) == 0 && session_parse_cpu_stat(text, ret);
}

void session_read_usage(const struct session_state *state, struct session_usage *ret)
{
        struct session_usage usage = { 0 };

        for (size_t i = 0; i < SESSION_CGROUPS_MAX && state->cgroups[i][0] != '\0'; i++) {
                cleanup_close int dir = fd_open_absolute(state->cgroups[i], O_PATH | O_DIRECTORY, 0, NULL);

                if (dir < 0)
                        continue;
                if (!usage.memory_known)
                        usage.memory_known = read_counter(dir, "memory.current", &usage.memory) ||
                                             read_counter(dir, "memory.usage_in_bytes", &usage.memory);
                if (!usage.tasks_known)
                        usage.tasks_known = read_counter(dir, "pids.current", &usage.tasks);
                if (!usage.cpu_known)
                        usage.cpu_known = read_cpu(dir, &usage.cpu_usec);
        }
        *ret = usage;
}

static int signal_monitor(const struct session_state *state, struct error *err)
{
        cleanup_close int pidfd = process_open_pidfd(state->monitor_pid, err);

        /* Checked after the pidfd is open: from here on the pid cannot become another process unseen. */
        if (pidfd < 0 || !session_is_live(state))
                return error_text(err, ESRCH,
                                  "session %s is stale: its monitor is dead; what it left is removed when "
                                  "the next session begins",
                                  state->id);
        return process_send_signal(pidfd, SIGTERM, err);
}

static bool session_exists(int sessions, const char *id)
{
        struct stat st;

        return fstatat(sessions, id, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int session_end(const struct session_state *state, int timeout_ms, struct error *err)
{
        cleanup_close int sessions = places_open_sessions(err);
        uint64_t deadline = process_monotonic_ms() + (uint64_t)timeout_ms;
        int r;

        if (sessions < 0)
                return sessions;
        r = signal_monitor(state, err);
        if (r < 0)
                return r;
        while (session_exists(sessions, state->id)) {
                if (process_monotonic_ms() >= deadline)
                        return error_text(err, ETIMEDOUT,
                                          "session %s was told to end, but is still there after %d "
                                          "seconds (monitor: process %d); see the log",
                                          state->id, timeout_ms / 1000, (int)state->monitor_pid);
                (void)usleep(POLL_MS * 1000);
        }
        return 0;
}
