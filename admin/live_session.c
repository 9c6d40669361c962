/*
 * live_session.c - plays su: PAM's account and session phases, then the login shell as the agent. Root, in a child
 * process: modules may change whatever they like about it.
 */
#include "admin/live_session.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define OPEN_TIMEOUT_MS 60000
#define END_TIMEOUT_MS  10000

/* What the child says once it knows. */
struct verdict {
        int32_t refused; /* 0: the session is open and the shell runs */
        uint64_t account_usec, open_usec;
        char socket[256]; /* AGENTSH_SOCKET */
        char text[ERROR_TEXT_MAX];
};

struct application {
        const struct account *account;
        const char *service, *command;
        int control;
        struct live_streams streams;
        pam_handle_t *pamh;
        char said[256]; /* the last thing that a module told the user */
        struct verdict verdict;
};

uint64_t live_now_usec(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Nobody is there to answer a question: each gets an empty answer. What is told is kept, errors before all else. */
static int converse(int count, const struct pam_message **messages, struct pam_response **ret, void *data)
{
        struct application *application = data;
        bool error_kept = false;

        *ret = calloc((size_t)count, sizeof(**ret));
        if (*ret == NULL)
                return PAM_BUF_ERR;
        for (int i = 0; i < count; i++) {
                bool is_error = messages[i]->msg_style == PAM_ERROR_MSG;

                if (!is_error && (error_kept || messages[i]->msg_style != PAM_TEXT_INFO))
                        continue;
                error_kept |= is_error;
                escape_text(application->said, sizeof(application->said), messages[i]->msg);
        }
        return PAM_SUCCESS;
}

static int refuse(struct application *application, const char *phase, int code)
{
        struct verdict *verdict = &application->verdict;

        verdict->refused = 1;
        (void)snprintf(verdict->text, sizeof(verdict->text), "%s of the PAM service %s: %s%s%s", phase,
                       application->service, pam_strerror(application->pamh, code),
                       application->said[0] != '\0' ? ": " : "", application->said);
        return -EACCES;
}

static int open_phases(struct application *application)
{
        struct pam_conv conversation = { converse, application };
        uint64_t start = live_now_usec();
        const char *socket_path;
        int code;

        code = pam_start(application->service, application->account->name, &conversation, &application->pamh);
        if (code != PAM_SUCCESS)
                return refuse(application, "the start", code);
        (void)pam_set_item(application->pamh, PAM_RUSER, "root");
        code = pam_acct_mgmt(application->pamh, 0);
        application->verdict.account_usec = live_now_usec() - start;
        if (code != PAM_SUCCESS)
                return refuse(application, "the account phase", code);
        (void)pam_setcred(application->pamh, PAM_ESTABLISH_CRED);
        start = live_now_usec();
        code = pam_open_session(application->pamh, 0);
        application->verdict.open_usec = live_now_usec() - start;
        if (code != PAM_SUCCESS)
                return refuse(application, "the session phase", code);
        socket_path = pam_getenv(application->pamh, AGENTSH_SOCKET_VARIABLE);
        (void)snprintf(application->verdict.socket, sizeof(application->verdict.socket), "%s",
                       socket_path != NULL ? socket_path : "");
        return 0;
}

/* What su sets; the rest of its caller's environment is none of the session's business here. */
static bool put_environment(const struct application *application)
{
        const struct account *account = application->account;
        char **list = pam_getenvlist(application->pamh);

        if (clearenv() != 0 || list == NULL)
                return false;
        for (char **variable = list; *variable != NULL; variable++)
                if (putenv(*variable) != 0)
                        return false;
        return setenv("HOME", account->home, 1) == 0 && setenv("SHELL", account->shell, 1) == 0 &&
               setenv("USER", account->name, 1) == 0 && setenv("LOGNAME", account->name, 1) == 0 &&
               setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1) == 0;
}

static _Noreturn void become_shell(const struct application *application)
{
        const struct account *account = application->account;
        const char *base = strrchr(account->shell, '/');

        if (put_environment(application) && initgroups(account->name, account->gid) == 0 &&
            setresgid(account->gid, account->gid, account->gid) == 0 &&
            setresuid(account->uid, account->uid, account->uid) == 0 && process_reset_signals(NULL) == 0 &&
            chdir("/") == 0 && dup2(application->streams.input, 0) == 0 && dup2(application->streams.output, 1) == 1 &&
            dup2(application->streams.error, 2) == 2 && fd_close_others(3, NULL, 0, NULL) == 0)
                (void)execl(account->shell, base != NULL ? base + 1 : account->shell, "-c", application->command, NULL);
        _exit(127);
}

static void tell_status(const struct application *application, pid_t shell)
{
        int status = 0;
        int32_t message;

        while (waitpid(shell, &status, 0) < 0 && errno == EINTR)
                continue;
        message = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        (void)send(application->control, &message, sizeof(message), MSG_NOSIGNAL);
}

/* The session lives until the other end of the control socket is closed, however that comes. */
static void wait_for_close(const struct application *application, pid_t *shell)
{
        struct pollfd items[] = { { .fd = application->control, .events = POLLIN }, { .fd = -1, .events = POLLIN } };

        if (*shell > 0) {
                items[1].fd = process_open_pidfd(*shell, NULL);
                /* Nobody could be told how the command ended, and would wait for that: the session ends now. */
                if (items[1].fd < 0)
                        return;
        }
        for (;;) {
                if (poll(items, 2, -1) < 0)
                        continue;
                if (items[1].revents != 0) {
                        tell_status(application, *shell);
                        cleanup_close_fd(&items[1].fd);
                        *shell = 0;
                }
                if (items[0].revents != 0)
                        break;
        }
        cleanup_close_fd(&items[1].fd);
}

static void hold_session(struct application *application)
{
        pid_t shell = fork();

        if (shell == 0)
                become_shell(application);
        if (shell < 0)
                (void)refuse(application, "the start of the login shell", PAM_SYSTEM_ERR);
        cleanup_close_fd(&application->streams.input);
        cleanup_close_fd(&application->streams.output);
        cleanup_close_fd(&application->streams.error);
        (void)send(application->control, &application->verdict, sizeof(application->verdict), MSG_NOSIGNAL);
        wait_for_close(application, &shell);
        (void)pam_close_session(application->pamh, 0);
        if (shell > 0)
                while (waitpid(shell, NULL, 0) < 0 && errno == EINTR)
                        continue;
}

static _Noreturn void be_application(struct application *application)
{
        const int keep[] = { application->control, application->streams.input, application->streams.output,
                             application->streams.error };

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
            fd_close_others(3, keep, sizeof(keep) / sizeof(keep[0]), NULL) < 0)
                _exit(1);
        if (open_phases(application) < 0)
                (void)send(application->control, &application->verdict, sizeof(application->verdict), MSG_NOSIGNAL);
        else
                hold_session(application);
        if (application->pamh != NULL) {
                (void)pam_setcred(application->pamh, PAM_DELETE_CRED | PAM_SILENT);
                (void)pam_end(application->pamh, PAM_SUCCESS);
        }
        _exit(0);
}

/* The session's id is the last but one component of the attach socket's path. */
static bool take_id(const char *path, char *ret)
{
        size_t prefix = strlen(AGENTSH_SESSIONS_DIR "/");

        if (strncmp(path, AGENTSH_SESSIONS_DIR "/", prefix) != 0 || strcspn(path + prefix, "/") != SESSION_ID_LENGTH)
                return false;
        (void)snprintf(ret, SESSION_ID_LENGTH + 1, "%.*s", SESSION_ID_LENGTH, path + prefix);
        return parse_is_session_id(ret);
}

static int read_verdict(struct live_session *session, struct error *err)
{
        struct pollfd ready = { .fd = session->control, .events = POLLIN };
        struct verdict verdict;
        int polled;

        do
                polled = poll(&ready, 1, OPEN_TIMEOUT_MS);
        while (polled < 0 && errno == EINTR);
        if (polled == 0)
                return error_text(err, ETIMEDOUT, "PAM did not open the session within %d seconds",
                                  OPEN_TIMEOUT_MS / 1000);
        if (recv(session->control, &verdict, sizeof(verdict), 0) != (ssize_t)sizeof(verdict))
                return error_text(err, EPROTO, "the process that opens the session died");
        verdict.text[sizeof(verdict.text) - 1] = verdict.socket[sizeof(verdict.socket) - 1] = '\0';
        if (verdict.refused != 0)
                return error_text(err, EACCES, "%s", verdict.text);
        session->account_usec = verdict.account_usec;
        session->open_usec = verdict.open_usec;
        if (!take_id(verdict.socket, session->id))
                return error_text(err, EACCES,
                                  "PAM opened a session of the service %s that is none of agentsh's: pam_agentsh.so is "
                                  "not in its stack, or was passed over",
                                  session->service);
        return 0;
}

static int make_pipe(int *ret_read, int *ret_write, struct error *err)
{
        int ends[2];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_errno(err, errno, "cannot make a pipe");
        *ret_read = ends[0];
        *ret_write = ends[1];
        return 0;
}

/* What is in common is duplicated, so that each can be closed by itself. */
static int take_streams(const struct live_streams *given, struct live_streams *ret, struct error *err)
{
        ret->input = fcntl(given->input, F_DUPFD_CLOEXEC, 3);
        ret->output = fcntl(given->output, F_DUPFD_CLOEXEC, 3);
        ret->error = fcntl(given->error, F_DUPFD_CLOEXEC, 3);
        return ret->input < 0 || ret->output < 0 || ret->error < 0
                       ? error_errno(err, errno, "cannot prepare the command's streams")
                       : 0;
}

static int make_streams(struct live_session *session, struct live_streams *ret, struct error *err)
{
        cleanup_close int input = -EBADF, output = -EBADF;
        int r = make_pipe(&input, &session->input, err);

        if (r >= 0)
                r = make_pipe(&session->output, &output, err);
        return r < 0 ? r : take_streams(&(struct live_streams){ input, output, output }, ret, err);
}

static void streams_done(struct live_streams *streams)
{
        cleanup_close_fd(&streams->input);
        cleanup_close_fd(&streams->output);
        cleanup_close_fd(&streams->error);
}
#define cleanup_streams __attribute__((cleanup(streams_done)))

int live_session_open(const struct account *account, const char *service, const char *command,
                      const struct live_streams *streams, struct live_session *ret, struct error *err)
{
        cleanup_live_session struct live_session session = LIVE_SESSION_INIT;
        cleanup_streams struct live_streams its = { -EBADF, -EBADF, -EBADF };
        cleanup_close int theirs = -EBADF;
        int pair[2], r;

        (void)snprintf(session.service, sizeof(session.service), "%s", service);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make a socket pair");
        session.control = pair[0];
        theirs = pair[1];
        r = streams == NULL ? make_streams(&session, &its, err) : take_streams(streams, &its, err);
        if (r < 0)
                return r;
        session.begun_usec = live_now_usec();
        session.application = fork();
        if (session.application < 0)
                return error_errno(err, errno, "cannot start a process");
        if (session.application == 0) {
                struct application application = {
                        .account = account, .service = service, .command = command, .control = theirs, .streams = its
                };

                be_application(&application);
        }
        cleanup_close_fd(&theirs);
        r = read_verdict(&session, err);
        if (r < 0)
                return r;
        *ret = session;
        session = (struct live_session)LIVE_SESSION_INIT;
        return 0;
}

int live_session_status(const struct live_session *session, int *ret, struct error *err)
{
        int32_t status;

        if (recv(session->control, &status, sizeof(status), 0) != (ssize_t)sizeof(status))
                return error_text(err, ESRCH, "the process that holds the session died");
        *ret = status;
        return 0;
}

void live_session_close(struct live_session *session)
{
        struct pollfd ready = { .fd = -1, .events = POLLIN };

        cleanup_close_fd(&session->input);
        cleanup_close_fd(&session->output);
        cleanup_close_fd(&session->control);
        if (session->application <= 0)
                return;
        ready.fd = process_open_pidfd(session->application, NULL);
        /* A module that does not come back must not keep us: the session ends with its application. */
        if (poll(&ready, 1, END_TIMEOUT_MS) <= 0)
                (void)kill(session->application, SIGKILL);
        while (waitpid(session->application, NULL, 0) < 0 && errno == EINTR)
                continue;
        cleanup_close_fd(&ready.fd);
        session->application = 0;
}
