/*
 * live_outside.c - the session's processes as the host sees them: nothing that runs inside can say otherwise. Root.
 *
 * A process is the session's when its PID namespace is the one of the session's process 1.
 */
#include "admin/live_check.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUP         "outside"
#define PROCESSES_MAX 64

struct processes {
        size_t count;
        pid_t pid[PROCESSES_MAX];
};

static bool read_namespace(const char *process, const char *name, char *ret, size_t size)
{
        char path[64];
        ssize_t length;

        (void)snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, name);
        length = readlink(path, ret, size - 1);
        if (length <= 0)
                return false;
        ret[length] = '\0';
        return true;
}

static bool find_processes(const char *init, struct processes *ret)
{
        cleanup_closedir DIR *proc = opendir("/proc");
        const struct dirent *entry;
        char session[64], theirs[64];

        *ret = (struct processes){ 0 };
        if (proc == NULL || !read_namespace(init, "pid", session, sizeof(session)))
                return false;
        while ((entry = readdir(proc)) != NULL)
                if (isdigit((unsigned char)entry->d_name[0]) && ret->count < PROCESSES_MAX &&
                    read_namespace(entry->d_name, "pid", theirs, sizeof(theirs)) && strcmp(theirs, session) == 0)
                        ret->pid[ret->count++] = (pid_t)strtol(entry->d_name, NULL, 10);
        return ret->count > 0;
}

/* The value of "Key:" in a status file; "" when it is not there. */
static void find_field(const char *text, const char *key, char *ret, size_t size)
{
        size_t length = strlen(key);

        ret[0] = '\0';
        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
                if (strncmp(line, key, length) != 0 || line[length] != ':')
                        continue;
                line += length + 1;
                line += strspn(line, " \t");
                (void)snprintf(ret, size, "%.*s", (int)strcspn(line, "\n"), line);
                return;
        }
}

static bool read_status(pid_t pid, char *ret, size_t size)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        return fd_read_file_at(AT_FDCWD, path, ret, size, NULL) == 0;
}

/* One field of every process of the session. A process that has just ended is no process of it. */
static void check_field(const struct live_check *check, const struct processes *processes, const char *key,
                        const char *expected)
{
        char found[128] = "", status[8192];

        for (size_t i = 0; i < processes->count; i++) {
                if (!read_status(processes->pid[i], status, sizeof(status)))
                        continue;
                find_field(status, key, found, sizeof(found));
                for (char *at = found; *at != '\0'; at++)
                        *at = *at == '\t' ? ' ' : *at;
                if (found[strlen(found) > 0 ? strlen(found) - 1 : 0] == ' ')
                        found[strlen(found) - 1] = '\0';
                if (strcmp(found, expected) != 0)
                        break;
        }
        live_equal(check->report, GROUP, key, expected, found);
}

static void check_status(const struct live_check *check, const struct processes *processes)
{
        const char *set = check->policy->fake_root ? "00000000000000db" : "0000000000000000";
        char ids[64];

        (void)snprintf(ids, sizeof(ids), "%u %u %u %u", (unsigned)check->account->uid, (unsigned)check->account->uid,
                       (unsigned)check->account->uid, (unsigned)check->account->uid);
        check_field(check, processes, "Uid", ids);
        (void)snprintf(ids, sizeof(ids), "%u %u %u %u", (unsigned)check->account->gid, (unsigned)check->account->gid,
                       (unsigned)check->account->gid, (unsigned)check->account->gid);
        check_field(check, processes, "Gid", ids);
        check_field(check, processes, "Groups", "");
        check_field(check, processes, "CapInh", "0000000000000000");
        check_field(check, processes, "CapPrm", set);
        check_field(check, processes, "CapEff", set);
        check_field(check, processes, "CapBnd", set);
        check_field(check, processes, "CapAmb", "0000000000000000");
        check_field(check, processes, "NoNewPrivs", "1");
        check_field(check, processes, "Seccomp", "2");
}

static void check_namespaces(const struct live_check *check, const char *init)
{
        static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                bool shared = check->policy->tier == TIER_CHROOT && strcmp(names[i], "user") == 0;
                char theirs[64] = "", ours[64] = "", name[64];

                (void)snprintf(name, sizeof(name), "%s namespace of process 1", names[i]);
                (void)(read_namespace(init, names[i], theirs, sizeof(theirs)) &&
                       read_namespace("self", names[i], ours, sizeof(ours)));
                live_add(check->report, theirs[0] != '\0' && ours[0] != '\0' && (strcmp(theirs, ours) == 0) == shared,
                         GROUP, name, shared ? "the host's, in this tier" : "another than the host's",
                         strcmp(theirs, ours) == 0 ? "the host's" : theirs);
        }
}

/* Whether the control group's list of processes has this one. */
static bool has_process(const char *directory, pid_t pid)
{
        cleanup_close int dir = fd_open_absolute(directory, O_PATH | O_DIRECTORY, 0, NULL);
        cleanup_close int fd = dir < 0 ? -EBADF : openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        cleanup_free char *text = NULL;
        char line[16];
        size_t size;

        if (fd < 0 || fd_read_all(fd, 65536, &text, &size, NULL) < 0)
                return false;
        (void)snprintf(line, sizeof(line), "%d", (int)pid);
        for (const char *at = text; *at != '\0'; at += strcspn(at, "\n"), at += *at == '\n')
                if (strcspn(at, "\n") == strlen(line) && strncmp(at, line, strlen(line)) == 0)
                        return true;
        return false;
}

static void check_membership(const struct live_check *check, const struct processes *processes)
{
        char status[8192], found[64];

        for (size_t i = 0; i < SESSION_CGROUPS_MAX && check->state->cgroups[i][0] != '\0'; i++) {
                const char *directory = check->state->cgroups[i];

                (void)snprintf(found, sizeof(found), "all %zu", processes->count);
                for (size_t j = 0; j < processes->count; j++)
                        if (!has_process(directory, processes->pid[j]) &&
                            read_status(processes->pid[j], status, sizeof(status)))
                                (void)snprintf(found, sizeof(found), "not process %d", (int)processes->pid[j]);
                live_add(check->report, found[0] == 'a', GROUP, directory, "all processes of the session", found);
        }
        if (check->state->cgroups[0][0] == '\0')
                live_add(check->report, false, GROUP, "control groups", "at least one", "none");
}

void live_check_outside(const struct live_check *check)
{
        struct processes processes;
        char init[16];

        (void)snprintf(init, sizeof(init), "%d", (int)check->state->init_pid);
        if (check->state->init_pid <= 0 || !find_processes(init, &processes)) {
                live_add(check->report, false, GROUP, "process 1", "in a PID namespace of its own", "not found");
                return;
        }
        live_add(check->report, processes.count >= 2 && processes.count < PROCESSES_MAX, GROUP, "processes",
                 "process 1 and the command", processes.count >= 2 ? "found" : "process 1 alone");
        check_status(check, &processes);
        check_namespaces(check, init);
        check_membership(check, &processes);
}
