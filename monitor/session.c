/* session.c - opens and closes a session. Root. The steps of opening are one table; closing mirrors it. */
#include "monitor/session.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "monitor/audit.h"
#include "monitor/log.h"
#include "monitor/privilege.h"
#include "monitor/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define ATTACH_BACKLOG    128
#define REMOVE_TIMEOUT_MS 2000

void session_socket_path(const struct session *session, char *ret, size_t size)
{
        (void)snprintf(ret, size, "%s/%s/%s", AGENTSH_SESSIONS_DIR, session->rundir.id, SESSION_ATTACH_SOCKET);
}

static int check_prepared(struct session *session, struct error *err)
{
        if (session->ahead->failure.number == 0)
                return 0;
        *err = session->ahead->failure;
        return -err->number;
}

static int check_audit(struct session *session, struct error *err)
{
        (void)session;
        return audit_check(err);
}

static int open_runtime(struct session *session, struct error *err)
{
        return rundir_open(&session->rundir, err);
}

static int take_slot(struct session *session, struct error *err)
{
        return slot_take(session->rundir.runtime_fd, session->account.policy.account,
                         session->account.policy.max_sessions, &session->slot_fd, err);
}

static int make_rundir(struct session *session, struct error *err)
{
        return rundir_create(&session->rundir, err);
}

/* The whole disk that the data home lies on, for io limits; 0 when the policy sets none. */
static int find_home_device(const struct policy *policy, dev_t *ret, struct error *err)
{
        struct stat st;

        *ret = 0;
        if (policy->io_read == 0 && policy->io_write == 0)
                return 0;
        if (stat(AGENTSH_STATE_DIR, &st) < 0)
                return error_errno(err, errno, "cannot stat %s for the io limits", AGENTSH_STATE_DIR);
        *ret = st.st_dev;
        return 0;
}

static int make_cgroup(struct session *session, struct error *err)
{
        dev_t device;
        int r = find_home_device(&session->account.policy, &device, err);

        if (r < 0)
                return r;
        r = session->ahead->cgroups ? 0 : cgroup_prepare(err);
        if (r < 0)
                return r;
        r = cgroup_create(&session->cgroup, &session->account.policy, session->rundir.id, device, err);
        if (r < 0)
                return r;
        cgroup_list_paths(&session->cgroup, session->state.cgroups);
        return 0;
}

static int write_state(struct session *session, struct error *err)
{
        struct session_state *state = &session->state;
        int r;

        state->magic = SESSION_STATE_MAGIC;
        memcpy(state->id, session->rundir.id, sizeof(state->id));
        memcpy(state->account, session->request.user, sizeof(state->account));
        memcpy(state->service, session->request.service, sizeof(state->service));
        memcpy(state->tty, session->request.tty, sizeof(state->tty));
        memcpy(state->rhost, session->request.rhost, sizeof(state->rhost));
        memcpy(state->ruser, session->request.ruser, sizeof(state->ruser));
        (void)snprintf(state->tier, sizeof(state->tier), "%s", session->account.tier->name);
        state->uid = session->account.uid;
        state->monitor_pid = getpid();
        r = process_read_start_time(getpid(), &state->monitor_start_time, err);
        if (r < 0)
                return r;
        return session_state_write(session->rundir.fd, state, err);
}

/* Root's file: which variables of its caller agentsh may carry inside. Others never enter the isolation. */
static int write_keep(struct session *session, struct error *err)
{
        const struct policy_names *keep = &session->account.policy.keep;
        char text[POLICY_LIST_MAX * (POLICY_NAME_MAX + 1) + 1] = "";
        cleanup_close int fd = -EBADF;
        size_t used = 0;

        for (size_t i = 0; i < keep->count; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\n", keep->name[i]);
        fd = openat(session->rundir.fd, SESSION_KEEP_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (fd < 0)
                return error_errno(err, errno, "cannot create the session's list of variables");
        if (fchmod(fd, 0444) < 0)
                return error_errno(err, errno, "cannot set the mode of the session's list of variables");
        return fd_write_all(fd, text, used, "the session's list of variables", err);
}

/* Tells agentsh that a terminal of this session is a socket pair. Root's word, before the socket is there. */
static int mark_remote(struct session *session, struct error *err)
{
        cleanup_close int fd = -EBADF;

        if (!session->account.tier->remote)
                return 0;
        fd = openat(session->rundir.fd, SESSION_REMOTE_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0444);
        return fd < 0 ? error_errno(err, errno, "cannot mark the session as a remote one") : 0;
}

static int bind_attach(struct session *session, struct error *err)
{
        char path[108];
        int r = mark_remote(session, err);

        if (r < 0)
                return r;
        session_socket_path(session, path, sizeof(path));
        session->attach_fd = seqpacket_listen(path, OMIT_POINT("mode of the attach socket") ? 0666 : 0600,
                                              ATTACH_BACKLOG, err);
        if (session->attach_fd < 0)
                return session->attach_fd;
        if (fchownat(session->rundir.fd, SESSION_ATTACH_SOCKET, session->account.uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) <
            0)
                return error_errno(err, errno, "cannot give the attach socket to the account");
        return 0;
}

static int add_variable(struct init_config *config, const char *name, const char *value, struct error *err)
{
        size_t left = sizeof(config->environment) - config->environment_size;
        int length = snprintf(config->environment + config->environment_size, left, "%s=%s", name, value);

        if (length < 0 || (size_t)length >= left)
                return error_text(err, E2BIG, "the environment of the policy is larger than %d bytes",
                                  INIT_ENVIRONMENT_MAX);
        config->environment_size += (uint32_t)length + 1;
        return 0;
}

static int add_settings(struct init_config *config, const struct policy *policy, struct error *err)
{
        for (size_t i = 0; i < policy->set.count; i++) {
                size_t length = strlen(policy->set.text[i]) + 1;

                if (length > sizeof(config->environment) - config->environment_size)
                        return error_text(err, E2BIG, "the environment of the policy is larger than %d bytes",
                                          INIT_ENVIRONMENT_MAX);
                memcpy(config->environment + config->environment_size, policy->set.text[i], length);
                config->environment_size += (uint32_t)length;
        }
        return 0;
}

static bool copy_field(char *ret, size_t size, const char *text)
{
        size_t length = strlen(text);

        if (length >= size)
                return false;
        memcpy(ret, text, length + 1);
        return true;
}

static int fill_config(struct session *session, struct error *err)
{
        const struct policy *policy = &session->account.policy;
        struct init_config *config = &session->config;
        const char *user = policy->fake_root ? "root" : session->request.user;
        const struct {
                const char *name, *value;
        } base[] = { { "PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games" },
                     { "HOME", session->account.home },
                     { "USER", user },
                     { "LOGNAME", user },
                     { "SHELL", policy->shell } };

        config->magic = STATUS_MAGIC;
        config->uid = policy->fake_root ? 0 : session->account.uid;
        if (!copy_field(config->user, sizeof(config->user), user) ||
            !copy_field(config->home, sizeof(config->home), session->account.home) ||
            !copy_field(config->shell, sizeof(config->shell), policy->shell))
                return error_errno(err, ENAMETOOLONG, "the home or the shell of %s", session->request.user);
        for (size_t i = 0; i < sizeof(base) / sizeof(base[0]); i++) {
                int r = add_variable(config, base[i].name, base[i].value, err);

                if (r < 0)
                        return r;
        }
        return add_settings(config, policy, err);
}

/* In this order; session_close undoes them in reverse. */
static const struct step {
        const char *name;
        int (*run)(struct session *session, struct error *err);
} steps[] = {
        { "preparation", check_prepared }, { "audit log", check_audit },         { "open runtime", open_runtime },
        { "session slot", take_slot },     { "runtime directory", make_rundir }, { "init configuration", fill_config },
        { "cgroup", make_cgroup },         { "state file", write_state },        { "variables file", write_keep },
        { "attach socket", bind_attach },
};

#ifdef AGENTSH_FAULTS
const char *session_step_name(size_t index)
{
        return index < sizeof(steps) / sizeof(steps[0]) ? steps[index].name : NULL;
}
#endif

static int remove_cgroup(struct session *session, struct error *err)
{
        if (session->cgroup.count == 0)
                return 0;
        if (FAULT_POINT("cgroup removal"))
                return error_errno(err, EIO, "injected fault");
        return cgroup_remove(&session->cgroup, REMOVE_TIMEOUT_MS, err);
}

/*
 * A directory whose cgroup stayed stays as well: the sweep finds the one by the other's name. Without its state file, since
 * nothing is left to be recorded.
 */
static int leave_to_sweep(struct session *session, struct error *err)
{
        if (FAULT_POINT("state file removal"))
                return error_errno(err, EIO, "injected fault");
        if (unlinkat(session->rundir.fd, SESSION_STATE_FILE, 0) < 0 && errno != ENOENT)
                return error_errno(err, errno, "cannot remove the session's state file");
        return 0;
}

static int release(struct session *session, struct error *err)
{
        struct error first = ERROR_INIT, next = ERROR_INIT;
        int r;

        cleanup_close_fd(&session->attach_fd);
        r = remove_cgroup(session, &first);
        cgroup_done(&session->cgroup);
        r = r < 0 ? leave_to_sweep(session, &next) : rundir_remove(&session->rundir, &next);
        if (r < 0 && first.number == 0)
                first = next;
        rundir_done(&session->rundir);
        cleanup_close_fd(&session->slot_fd);
        if (first.number == 0)
                return 0;
        if (err != NULL)
                *err = first;
        return -first.number;
}

/*
 * Undoing takes descriptors, too, and a set-up that failed for want of them must not be left half undone: some are kept
 * until it has succeeded.
 */
#define RESERVE 12

static void release_reserve(const int reserve[static RESERVE])
{
        for (size_t i = 0; i < RESERVE; i++)
                if (reserve[i] >= 0)
                        (void)close(reserve[i]);
}

static int take_reserve(int fd, int ret[static RESERVE], struct error *err)
{
        for (size_t i = 0; i < RESERVE; i++)
                ret[i] = -EBADF;
        for (size_t i = 0; i < RESERVE && !OMIT_POINT("descriptor reserve"); i++) {
                ret[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                if (ret[i] < 0) {
                        int number = errno;

                        release_reserve(ret);
                        return error_errno(err, number, "cannot open a session");
                }
        }
        return 0;
}

static int run_steps(struct session *session, struct error *err)
{
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                int r;

                if (OMIT_POINT(steps[i].name))
                        continue;
                r = FAULT_POINT(steps[i].name) ? error_errno(err, EIO, "injected fault") : steps[i].run(session, err);
                if (r < 0)
                        return error_prefix(err, "%s", steps[i].name);
        }
        return 0;
}

int session_open(struct session *session, struct error *err)
{
        struct error ignored = ERROR_INIT;
        int reserve[RESERVE], r;

        session->rundir = (struct rundir)RUNDIR_INIT;
        session->cgroup = (struct cgroup)CGROUP_INIT;
        session->isolation = (struct isolation)ISOLATION_INIT;
        session->slot_fd = session->attach_fd = -EBADF;
        session->ending = ENDING_NONE;
        session->opened_ms = process_monotonic_ms();
        session->state.opened_at = process_realtime();
        r = take_reserve(session->connection, reserve, err);
        if (r < 0)
                return r;
        r = run_steps(session, err);
        release_reserve(reserve);
        if (r < 0 && release(session, &ignored) < 0) {
                log_line(LOG_ERR, "cannot undo a failed set-up: %s", ignored.text);
                session->left_behind = !OMIT_POINT("left behind");
        }
        return r;
}

static int start_isolation(struct session *session, struct error *err)
{
        struct tier_request request = {
                .policy = &session->account.policy,
                .session_id = session->rundir.id,
                .uid = session->account.uid,
                .gid = session->account.gid,
                .home = session->account.home,
                .attach_fd = session->attach_fd,
                .ahead = &session->ahead->tier,
                .cgroup = &session->cgroup,
                .config = &session->config,
        };
        int r = session->account.tier->start(&request, &session->isolation, err);

        if (r < 0)
                return r;
        session->state.init_pid = session->isolation.pid;
        if (session->isolation.detail != NULL)
                (void)snprintf(session->state.tier, sizeof(session->state.tier), "%s, %s", session->account.tier->name,
                               session->isolation.detail);
        r = session_state_write(session->rundir.fd, &session->state, err);
        return r < 0 || OMIT_POINT("monitor privileges") ? r : privilege_reduce(err);
}

int session_start(struct session *session, struct error *err)
{
        struct error ignored = ERROR_INIT;
        int r = start_isolation(session, err);

        if (r >= 0)
                return r;
        session->failure = *err;
        if (session->isolation.pid > 0 && session->account.tier->stop(&session->isolation, &ignored) < 0)
                log_line(LOG_ERR, "cannot end a half-made isolation: %s", ignored.text);
        return r;
}

int session_read_limits(struct session *session, struct error *err)
{
        int r = cgroup_read_usage(&session->cgroup, &session->usage, err);

        if (r < 0)
                return r;
        if (session->usage.oom_kills > 0)
                session->hit |= LIMIT_MASK(MEMORY);
        if (session->usage.tasks_refused > 0)
                session->hit |= LIMIT_MASK(TASKS);
        if (session->usage.cpu_throttled > 0)
                session->hit |= LIMIT_MASK(CPUS);
        session->hit |= isolation_full(&session->isolation);
        return 0;
}

static void keep_first(struct error *first, const struct error *next, const char *doing)
{
        log_line(LOG_ERR, "while %s: %s", doing, next->text);
        if (first->number == 0)
                *first = *next;
}

int session_close(struct session *session, struct error *err)
{
        struct error first = ERROR_INIT, next = ERROR_INIT;

        session->hit |= isolation_full(&session->isolation);
        if (session->isolation.pid > 0 && session->account.tier->stop(&session->isolation, &next) < 0)
                keep_first(&first, &next, "ending the isolation");
        if (session->cgroup.count > 0 && cgroup_kill(&session->cgroup, &next) < 0)
                keep_first(&first, &next, "killing what is left of the session");
        if (session_read_limits(session, &next) < 0)
                keep_first(&first, &next, "reading what the session used");
        audit_session(session);
        if (release(session, &next) < 0)
                keep_first(&first, &next, "removing the session");
        if (first.number == 0)
                return 0;
        *err = first;
        return -first.number;
}
