/*
 * pam_agentsh.c - the door, as PAM calls it: account and session. The only code of agentsh inside sshd and su.
 *
 * It decides whether the user is an agent, and for an agent asks the monitor and waits for the verdict. Every refusal
 * is PAM_PERM_DENIED: sudo runs its command in spite of PAM_SESSION_ERR.
 */
#include "common/cleanup.h"
#include "common/control.h"
#include "common/fault.h"
#include "common/paths.h"
#include "common/process.h"
#include "pam_module/client.h"
#include "pam_module/door.h"
#include "pam_module/hold.h"
#include "pam_module/options.h"

#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <string.h>
#include <syslog.h>

#define EXPORTED __attribute__((visibility("default")))

/* One call for one agent. */
struct call {
        pam_handle_t *pamh;
        int flags;
        struct options options;
        struct control_request request;
        uint64_t deadline;
        struct error err;
};

static const char *get_item(pam_handle_t *pamh, int item)
{
        const void *value = NULL;

        return pam_get_item(pamh, item, &value) == PAM_SUCCESS && value != NULL ? value : "";
}

static bool can_speak(const struct call *call)
{
        const void *item = NULL;
        const struct pam_conv *conv;

        if ((call->flags & PAM_SILENT) != 0 || pam_get_item(call->pamh, PAM_CONV, &item) != PAM_SUCCESS)
                return false;
        conv = item;
        return conv != NULL && conv->conv != NULL;
}

static int refuse(struct call *call)
{
        struct error name = ERROR_INIT;

        /* Only for its escaping: the name may be of a user that nobody checked. */
        (void)error_text(&name, EACCES, "%s", get_item(call->pamh, PAM_USER));
        if (can_speak(call))
                (void)pam_error(call->pamh, "agentsh: %s may not log in: %s", name.text, call->err.text);
        pam_syslog(call->pamh, LOG_WARNING, "%s refused: %s", name.text, call->err.text);
        return PAM_PERM_DENIED;
}

/* How sshd authenticated the user; it sets this in its PAM environment, where nobody else has a say before us. */
static int fill_auth(struct call *call)
{
        const char *info = pam_getenv(call->pamh, "SSH_AUTH_INFO_0");
        struct control_request *request = &call->request;
        size_t length = info != NULL ? strlen(info) : 0;

        while (length > 0 && info[length - 1] == '\n')
                length--;
        if (length >= sizeof(request->auth))
                return error_text(&call->err, ENAMETOOLONG, "what sshd says of the authentication is too long");
        for (size_t i = 0; i < length; i++)
                request->auth[i] = info[i];
        for (char *end = strchr(request->auth, '\n'); end != NULL; end = strchr(end, '\n'))
                *end = ';';
        return 0;
}

/* user and service must be exact; the rest is for the record, and there an odd byte or an endless name is shown. */
static int fill_request(struct call *call)
{
        struct control_request *request = &call->request;
        const char *user = get_item(call->pamh, PAM_USER), *service = get_item(call->pamh, PAM_SERVICE);
        size_t length = strlen(service);

        if (strlen(user) >= sizeof(request->user))
                return error_text(&call->err, ENAMETOOLONG, "the name is too long");
        if (length == 0 || length >= sizeof(request->service))
                return error_text(&call->err, EINVAL, "the PAM service has no name, or too long a one");
        memcpy(request->user, user, strlen(user) + 1);
        memcpy(request->service, service, length + 1);
        escape_text(request->tty, sizeof(request->tty), get_item(call->pamh, PAM_TTY));
        escape_text(request->rhost, sizeof(request->rhost), get_item(call->pamh, PAM_RHOST));
        escape_text(request->ruser, sizeof(request->ruser), get_item(call->pamh, PAM_RUSER));
        return fill_auth(call);
}

/* PAM_SUCCESS: an agent, with everything ready to ask for it. Anything else is the module's answer. */
static int begin(struct call *call, pam_handle_t *pamh, int flags, int argc, const char **argv)
{
        const char *user = get_item(pamh, PAM_USER);
        enum door door;

        *call = (struct call){ .pamh = pamh, .flags = flags };
        options_parse(argc, argv, &call->options);
        door = user[0] == '\0' ? DOOR_PASS : door_decide(pamh, user, call->options.shell, &call->err);
        if (call->options.debug)
                pam_syslog(pamh, LOG_DEBUG, "%s is %s", user, door == DOOR_PASS ? "not an agent" : "an agent");
        if (door == DOOR_PASS)
                return PAM_IGNORE;
        if (door == DOOR_AGENT && call->options.wrong.number != 0)
                call->err = call->options.wrong;
        if (call->err.number != 0 || door != DOOR_AGENT || fill_request(call) < 0)
                return refuse(call);
        call->deadline = process_monotonic_ms() + (uint64_t)call->options.timeout_ms;
        return PAM_SUCCESS;
}

static int connect_monitor(struct call *call)
{
        int fd = client_connect(call->options.socket, call->deadline, &call->err);

        if (fd < 0)
                (void)error_prefix(&call->err, "the monitor cannot be asked (is agentsh.socket, or agentsh-monitor "
                                               "--listen, running?)");
        return fd;
}

static int ask_account(struct call *call)
{
        struct hold *hold = hold_get(call->pamh);
        cleanup_close int fd = -EBADF;
        int r;

        if (hold == NULL)
                return error_errno(&call->err, ENOMEM, "cannot keep a connection");
        fd = connect_monitor(call);
        if (fd < 0)
                return fd;
        r = client_account(fd, &call->request, call->deadline, &call->err);
        if (r < 0)
                return r;
        /* For the session, which saves a second start of the monitor. */
        if (!hold->open)
                hold_keep(hold, TAKE_FD(fd), &call->request);
        return 0;
}

/* On the connection of the account phase if there is one for the same login and it has not been closed meanwhile. */
static int open_on_kept(struct call *call, struct hold *hold, struct control_reply *ret_reply)
{
        if (hold->fd >= 0 && strcmp(hold->user, call->request.user) == 0 &&
            strcmp(hold->service, call->request.service) == 0)
                return client_open(hold->fd, &call->request, call->deadline, ret_reply, &call->err);
        return error_text(&call->err, ECONNRESET, "no connection is kept");
}

static int ask_open(struct call *call, struct control_reply *ret_reply)
{
        struct hold *hold = hold_get(call->pamh);
        cleanup_close int fd = -EBADF;
        int r;

        if (hold == NULL)
                return error_errno(&call->err, ENOMEM, "cannot keep a connection");
        if (hold->open)
                return error_text(&call->err, EBUSY, "this PAM handle has a session open already");
        r = open_on_kept(call, hold, ret_reply);
        if (r == -ECONNRESET || r == -EPIPE) {
                hold_drop(hold);
                fd = connect_monitor(call);
                if (fd < 0)
                        return fd;
                hold_keep(hold, TAKE_FD(fd), &call->request);
                r = client_open(hold->fd, &call->request, call->deadline, ret_reply, &call->err);
        }
        if (r < 0)
                hold_drop(hold);
        else
                hold->open = true;
        return r;
}

static int export_socket(struct call *call, const struct control_reply *reply)
{
        char variable[sizeof(AGENTSH_SOCKET_VARIABLE "=") + sizeof(reply->socket)];

        (void)snprintf(variable, sizeof(variable), AGENTSH_SOCKET_VARIABLE "=%s", reply->socket);
        if (pam_putenv(call->pamh, variable) == PAM_SUCCESS)
                return 0;
        return error_errno(&call->err, ENOMEM, "cannot set %s", AGENTSH_SOCKET_VARIABLE);
}

EXPORTED int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
        struct call call;
        int verdict = begin(&call, pamh, flags, argc, argv);

        if (verdict != PAM_SUCCESS)
                return verdict;
        if (OMIT_POINT("account phase"))
                return PAM_SUCCESS;
        return ask_account(&call) < 0 ? refuse(&call) : PAM_SUCCESS;
}

EXPORTED int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
        struct control_reply reply;
        struct call call;
        int verdict = begin(&call, pamh, flags, argc, argv);

        if (verdict != PAM_SUCCESS)
                return verdict;
        if (OMIT_POINT("session phase"))
                return PAM_SUCCESS;
        if (ask_open(&call, &reply) < 0)
                return refuse(&call);
        if (export_socket(&call, &reply) < 0) {
                hold_drop(hold_find(pamh));
                return refuse(&call);
        }
        if (call.options.debug)
                pam_syslog(pamh, LOG_DEBUG, "session %s of %s is open", reply.session, call.request.user);
        return PAM_SUCCESS;
}

/* By the connection alone, with whatever uid is left: systemd closes as the user, from a fork of what opened. */
EXPORTED int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
        struct hold *hold = hold_find(pamh);
        struct error err = ERROR_INIT;
        struct options options;

        (void)flags;
        if (hold == NULL || !hold->open)
                return PAM_IGNORE;
        options_parse(argc, argv, &options);
        /* A monitor that is gone took the session with it: to the application that is a closed session as well. */
        if (client_close(hold->fd, process_monotonic_ms() + (uint64_t)options.timeout_ms, &err) < 0)
                pam_syslog(pamh, LOG_NOTICE, "the end of the session was not confirmed: %s", err.text);
        hold_drop(hold);
        (void)pam_putenv(pamh, AGENTSH_SOCKET_VARIABLE);
        return PAM_SUCCESS;
}

/* Lines of the other types, which somebody may have written: nothing to do, and nothing broken by it. */
EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
        (void)pamh, (void)flags, (void)argc, (void)argv;
        return PAM_IGNORE;
}

EXPORTED int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
        (void)pamh, (void)flags, (void)argc, (void)argv;
        return PAM_IGNORE;
}

EXPORTED int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
        (void)pamh, (void)flags, (void)argc, (void)argv;
        return PAM_IGNORE;
}
