/*
 * tier_jail.c - the tier `jail`, and what the tier `chroot` shares with it: the monitor's side. Starts the builder,
 * serves it, and ends what it became.
 *
 * Root of the host with CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID and what the steps name; tier_jail.stop needs CAP_KILL.
 */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "monitor/jail_net.h"
#include "monitor/jail_sync.h"
#include "monitor/jail_userns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUILD_TIMEOUT_MS  30000
#define CONFIG_TIMEOUT_MS 30000
#define STOP_TIMEOUT_MS   30000

static const struct jail_places host_places = {
        .init = AGENTSH_LIBEXEC_DIR "/agentsh-init",
        .homes = AGENTSH_STATE_DIR "/homes",
        .filters = AGENTSH_RUNTIME_DIR "/seccomp",
        .etc = AGENTSH_RUNTIME_DIR "/etc",
        .subuid = "/etc/subuid",
        .subgid = "/etc/subgid",
};

void jail_done(struct jail *jail)
{
        cleanup_close_fd(&jail->init_fd);
        cleanup_close_fd(&jail->home_fd);
        cleanup_close_fd(&jail->etc_fd);
        jail_filter_done(&jail->filter);
}
#define cleanup_jail __attribute__((cleanup(jail_done)))

int jail_send_config(struct jail *jail, struct error *err)
{
        return seqpacket_send(jail->status_fd, jail->request->config, sizeof(*jail->request->config), NULL, 0,
                              CONFIG_TIMEOUT_MS, err);
}

static pid_t start_builder(const struct cgroup *cgroup, int *ret_pidfd)
{
        struct clone_args arguments = {
                .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD,
                .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
                .exit_signal = SIGCHLD,
        };

        if (cgroup->clone_fd >= 0) {
                arguments.flags |= CLONE_INTO_CGROUP;
                arguments.cgroup = (uint64_t)cgroup->clone_fd;
        }
        return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/* Serve the builder until init runs. */
static int serve_builder(const struct jail *jail, int sync_fd, pid_t pid, struct error *err)
{
        uint64_t deadline = process_monotonic_ms() + BUILD_TIMEOUT_MS;
        struct jail_sync message = { .kind = 0 };
        bool executing = false;

        for (;;) {
                uint64_t now = process_monotonic_ms();
                int r = jail_sync_receive(sync_fd, &message, now < deadline ? (int)(deadline - now) : 0, err);

                if (r < 0)
                        return error_prefix(err, "cannot make the jail");
                if (r == 0)
                        return executing ? 0 : error_text(err, ECHILD, "cannot make the jail: its builder was killed");
                if (message.kind == JAIL_SYNC_FAILED)
                        return error_text(err, message.number, "%s", message.text);
                if (message.kind == JAIL_SYNC_EXECUTING) {
                        executing = true;
                        continue;
                }
                if (message.kind != JAIL_SYNC_MAP || !jail->user_namespace)
                        return error_text(err, EBADMSG, "cannot make the jail: its builder sent an unknown message");
                r = userns_write_maps(jail, pid, err);
                if (r >= 0)
                        r = jail_sync_send(sync_fd, JAIL_SYNC_MAPPED, err);
                if (r < 0)
                        return error_prefix(err, "cannot make the jail (step \"user namespace\")");
        }
}

static bool is_hangup(int r)
{
        return r == -EPIPE || r == -ECONNRESET || r == -ECONNREFUSED;
}

int jail_prepare(struct tier_ahead *ahead, struct error *err)
{
        if (FAULT_POINT("network ahead"))
                return error_errno(err, EIO, "injected fault");
        return ahead->network_fd >= 0 ? 0 : net_make_namespace(&ahead->network_fd, err);
}

static int give_network(struct tier_ahead *ahead, int sync_fd, struct error *err)
{
        cleanup_close int fd = ahead != NULL ? TAKE_FD(ahead->network_fd) : -EBADF;
        int r = fd >= 0 ? 0 : net_make_namespace(&fd, err);

        if (r >= 0)
                r = jail_sync_send_fd(sync_fd, JAIL_SYNC_NETWORK, fd, err);
        return r < 0 ? error_prefix(err, "cannot make the jail (step \"network\")") : 0;
}

static int run_builder(struct jail *jail, struct isolation *isolation, struct error *err)
{
        cleanup_close int sync_fd = -EBADF;
        cleanup_close int builder_fd = -EBADF;
        int r = jail_sync_open(&sync_fd, &builder_fd, err);

        if (r < 0)
                return r;
        isolation->pid = start_builder(jail->request->cgroup, &isolation->pidfd);
        if (isolation->pid < 0) {
                int number = errno;

                *isolation = (struct isolation)ISOLATION_INIT;
                return error_errno(err, number, "cannot make the jail: cannot start a process in new namespaces");
        }
        if (isolation->pid == 0) {
                cleanup_close_fd(&sync_fd);
                jail->sync_fd = builder_fd;
                jail_builder_main(jail);
        }
        /* Or the builder's end would never be seen. */
        cleanup_close_fd(&builder_fd);
        r = give_network(jail->request->ahead, sync_fd, err);
        /* A builder that has hung up has left its reason. */
        return r < 0 && !is_hangup(r) ? r : serve_builder(jail, sync_fd, isolation->pid, err);
}

static int wait_end(int pidfd, struct error *err)
{
        struct pollfd item = { .fd = pidfd, .events = POLLIN };
        siginfo_t info;
        int r;

        do
                r = poll(&item, 1, STOP_TIMEOUT_MS);
        while (r < 0 && errno == EINTR);
        if (r == 0)
                return error_text(err, ETIMEDOUT, "process 1 of the jail does not die");
        if (r < 0 || (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno != ECHILD))
                return error_errno(err, errno, "cannot wait for the end of the jail");
        return 0;
}

int jail_stop(struct isolation *isolation, struct error *err)
{
        int r = 0;

        if (isolation->pidfd >= 0) {
                r = process_send_signal(isolation->pidfd, SIGKILL, err);
                if (r >= 0 || r == -ESRCH)
                        r = wait_end(isolation->pidfd, err);
        }
        cleanup_close_fd(&isolation->pidfd);
        cleanup_close_fd(&isolation->status_fd);
        isolation_close_stores(isolation);
        isolation->pid = 0;
        return r;
}

int jail_start(const struct tier_request *request, const struct jail_places *places, struct isolation *ret,
               struct error *err)
{
        cleanup_jail struct jail jail = JAIL_INIT;
        struct isolation isolation = ISOLATION_INIT;
        cleanup_close int status_fd = -EBADF;
        cleanup_close int init_status_fd = -EBADF;
        int pair[2], r;

        jail.request = request;
        jail.places = places;
        jail.user_namespace = jail_has_user_namespace(request->policy);
        r = jail_run_steps(&jail, JAIL_PREPARE, err);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make the status socket");
        status_fd = pair[0];
        init_status_fd = pair[1];
        jail.status_fd = init_status_fd;
        r = run_builder(&jail, &isolation, err);
        cleanup_close_fd(&init_status_fd);
        jail.status_fd = status_fd;
        jail.isolation = &isolation;
        if (r >= 0)
                r = jail_run_steps(&jail, JAIL_FINISH, err);
        if (r < 0) {
                if (jail_stop(&isolation, NULL) < 0)
                        (void)error_prefix(err, "(and its process 1 does not die)");
                return r;
        }
        isolation.status_fd = TAKE_FD(status_fd);
        *ret = isolation;
        return 0;
}

int jail_start_on_host(const struct tier_request *request, struct isolation *ret, struct error *err)
{
        return jail_start(request, &host_places, ret, err);
}

static int jail_probe_on_host(const struct policy *policy, uid_t uid, struct error *err)
{
        return jail_probe(policy, &host_places, uid, err);
}

const struct tier tier_jail = {
        .name = "jail",
        .probe = jail_probe_on_host,
        .prepare = jail_prepare,
        .start = jail_start_on_host,
        .stop = jail_stop,
};

#ifdef AGENTSH_FAULTS
const char *tier_jail_step_name(size_t index)
{
        size_t count;
        const struct jail_step *steps = jail_steps(&count);

        return index < count ? steps[index].name : NULL;
}
#endif
