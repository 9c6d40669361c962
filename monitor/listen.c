/* listen.c - the supervisor of monitors without systemd. Root. Reads nothing from any connection. */
#include "monitor/listen.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "monitor/log.h"
#include "monitor/rundir.h"
#include "monitor/server.h"
#include "monitor/sweep.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define BACKLOG         256
#define ACCEPT_PAUSE_MS 100

static int make_signal_fd(int *ret_fd, struct error *err)
{
        sigset_t set;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return error_errno(err, errno, "cannot block signals");
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return error_errno(err, errno, "cannot make a signalfd");
        *ret_fd = fd;
        return 0;
}

static int serve(int connection)
{
        struct error err = ERROR_INIT;

        if (process_reset_signals(&err) < 0 || server_run(connection, &err) < 0) {
                log_line(LOG_ERR, "%s", err.text);
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}

static void accept_one(int listen_fd, int signal_fd)
{
        int connection = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        pid_t pid;

        if (connection < 0) {
                /* It stays in the queue, and poll would say so at once. */
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                        log_line(LOG_ERR, "cannot accept a connection: %s", strerror(errno));
                        (void)poll(NULL, 0, ACCEPT_PAUSE_MS);
                }
                return;
        }
        pid = fork();
        if (pid == 0) {
                (void)close(listen_fd);
                (void)close(signal_fd);
                (void)setsid();
                _exit(serve(connection));
        }
        if (pid < 0)
                log_line(LOG_ERR, "cannot fork a monitor: a login is refused");
        (void)close(connection);
}

static void sweep_in_child(void)
{
        pid_t pid = fork();

        if (pid == 0) {
                struct error err = ERROR_INIT;

                if (sweep_run(&err) < 0)
                        log_line(LOG_ERR, "sweep: %s", err.text);
                _exit(0);
        }
        if (pid < 0)
                log_line(LOG_ERR, "cannot fork the sweep");
}

/* Reaps monitors; one that was killed has left its session behind, and one that failed may have. */
static void reap(void)
{
        bool failed = false;
        int status;

        while (waitpid(-1, &status, WNOHANG) > 0)
                failed |= !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS;
        if (failed && !OMIT_POINT("sweep behind monitors"))
                sweep_in_child();
}

static bool handle_signals(int signal_fd)
{
        struct signalfd_siginfo info;
        bool stop = false;

        while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                if (info.ssi_signo == SIGCHLD)
                        reap();
                else
                        stop = true;
        }
        return stop;
}

int listen_run(const char *socket_path, struct error *err)
{
        cleanup_close int listen_fd = -EBADF, signal_fd = -EBADF;
        struct rundir rundir = RUNDIR_INIT;
        int r = rundir_open(&rundir, err);

        if (r < 0)
                return r;
        rundir_done(&rundir);
        r = make_signal_fd(&signal_fd, err);
        if (r < 0)
                return r;
        r = sweep_run(err);
        if (r < 0)
                log_line(LOG_ERR, "sweep: %s", err->text);
        listen_fd = seqpacket_listen(socket_path, OMIT_POINT("mode of the control socket") ? 0666 : 0600, BACKLOG, err);
        if (listen_fd < 0)
                return listen_fd;
        /* Loads the name service's modules once, here, instead of once in every monitor. */
        (void)getpwnam("root");
        log_line(LOG_INFO, "listening on %s", socket_path);
        for (;;) {
                struct pollfd items[] = { { .fd = listen_fd, .events = POLLIN },
                                          { .fd = signal_fd, .events = POLLIN } };

                if (poll(items, 2, -1) < 0 && errno != EINTR)
                        return error_errno(err, errno, "cannot wait for connections");
                if ((items[1].revents & POLLIN) != 0 && handle_signals(signal_fd))
                        return 0;
                if ((items[0].revents & POLLIN) != 0)
                        accept_one(listen_fd, signal_fd);
        }
}
