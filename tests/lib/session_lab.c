/*
 * session_lab.c - stands for agentsh-monitor in the tests of the login shell: makes a session's runtime directory and
 * starts agentsh-init in a pid and mount namespace, with its own /proc and devpts. Root. No confinement whatsoever.
 *
 *   session_lab RUNTIME_DIR SESSION_ID UID INIT SHELL PATTERNS [RELAY GUEST]
 *
 * With RELAY and GUEST, process 1 is agentsh-relay, and agentsh-guest runs INIT at the other end of a socket pair, as
 * it would in a machine of its own. GUEST may also be any other program: it gets --stream FD --init INIT.
 *
 * Prints "READY INIT_PID" once init is up. Reads commands from stdin: "hit N" (limits to report from now on), "end N"
 * (announce ending N), "mute" (answer no more), "quit". At EOF it closes the status line, waits for init to end by
 * itself, and removes the directory. Prints each report as "REPORT kind channels status".
 */
#include "common/cleanup.h"
#include "common/paths.h"
#include "common/seqpacket.h"
#include "common/status.h"

#include <err.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct monitor {
        const char *runtime, *id, *init, *shell, *patterns, *relay, *guest;
        uid_t uid;
        int listener, status, stream;
        pid_t guest_pid;
        uint32_t hit;
        bool mute;
};

static void make_directory(const char *path)
{
        if (mkdir(path, 0711) < 0 && errno != EEXIST)
                err(1, "mkdir %s", path);
        if (chmod(path, 0711) < 0)
                err(1, "chmod %s", path);
}

static void make_remote(const struct monitor *monitor)
{
        char path[512];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/sessions/%s/" SESSION_REMOTE_FILE, monitor->runtime, monitor->id);
        if (monitor->relay == NULL)
                return;
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
        if (fd < 0)
                err(1, "%s", path);
        (void)close(fd);
}

static void make_session(struct monitor *monitor)
{
        struct error error = ERROR_INIT;
        char path[512];
        int keep;

        make_directory(monitor->runtime);
        (void)snprintf(path, sizeof(path), "%s/sessions", monitor->runtime);
        make_directory(path);
        (void)snprintf(path, sizeof(path), "%s/sessions/%s", monitor->runtime, monitor->id);
        make_directory(path);
        make_remote(monitor);
        (void)snprintf(path, sizeof(path), "%s/sessions/%s/" SESSION_KEEP_FILE, monitor->runtime, monitor->id);
        keep = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
        if (keep < 0 || write(keep, monitor->patterns, strlen(monitor->patterns)) < 0)
                err(1, "%s", path);
        (void)close(keep);
        (void)snprintf(path, sizeof(path), "%s/sessions/%s/" SESSION_ATTACH_SOCKET, monitor->runtime, monitor->id);
        monitor->listener = seqpacket_listen(path, 0600, 64, &error);
        if (monitor->listener < 0)
                errx(1, "%s", error.text);
        if (chown(path, monitor->uid, monitor->uid) < 0)
                err(1, "chown %s", path);
}

static void remove_session(const struct monitor *monitor)
{
        static const char *const names[] = { "/" SESSION_ATTACH_SOCKET, "/" SESSION_KEEP_FILE, "/" SESSION_REMOTE_FILE,
                                             "" };
        char path[512];

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s/sessions/%s%s", monitor->runtime, monitor->id, names[i]);
                (void)remove(path);
        }
}

/* sftp-server ends at once for a uid without a name. */
static void name_agent(const struct monitor *monitor)
{
        char path[512];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/passwd", monitor->runtime);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0 || dprintf(fd, "agent:x:%u:%u::/tmp:/bin/bash\n", monitor->uid, monitor->uid) < 0 ||
            mount(path, "/etc/passwd", NULL, MS_BIND, NULL) < 0)
                err(1, "%s", path);
        (void)close(fd);
}

static void mount_own(const struct monitor *monitor)
{
        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0 ||
            mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620,gid=5") < 0 ||
            mount("/dev/pts/ptmx", "/dev/ptmx", NULL, MS_BIND, NULL) < 0)
                err(1, "mount");
        name_agent(monitor);
}

_Noreturn static void become_init(const struct monitor *monitor, int status)
{
        /* Out of the way of the two numbers first. */
        int listener = fcntl(monitor->listener, F_DUPFD, 10), line = fcntl(status, F_DUPFD, 10);
        const char *program = monitor->relay != NULL ? monitor->relay : monitor->init;
        char gid[32], option[] = "--gid", *arguments[] = { (char *)(uintptr_t)program, NULL, NULL, NULL };
        int stream = monitor->relay != NULL ? fcntl(monitor->stream, F_DUPFD, 10) : -1;
        const char *environment[] = { NULL, NULL };

        environment[0] = getenv("ASAN_OPTIONS") != NULL ? "ASAN_OPTIONS=detect_leaks=0" : NULL;
        mount_own(monitor);
        if (setgroups(0, NULL) < 0 || setresgid(monitor->uid, monitor->uid, monitor->uid) < 0 ||
            setresuid(monitor->uid, monitor->uid, monitor->uid) < 0)
                err(1, "setresuid");
        if (dup2(line, STATUS_FD) < 0 || dup2(listener, ATTACH_LISTEN_FD) < 0 || (stream >= 0 && dup2(stream, 5) < 0))
                err(1, "dup2");
        if (monitor->relay != NULL) {
                (void)snprintf(gid, sizeof(gid), "%u", monitor->uid);
                arguments[1] = option;
                arguments[2] = gid;
        }
        (void)execve(program, arguments, (char *const *)(uintptr_t)environment);
        err(1, "%s", program);
}

/* As root, as in its machine, but on this one. */
static void start_guest(struct monitor *monitor)
{
        int pair[2];

        if (monitor->relay == NULL)
                return;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                err(1, "socketpair");
        monitor->stream = pair[0];
        monitor->guest_pid = fork();
        if (monitor->guest_pid < 0)
                err(1, "fork");
        if (monitor->guest_pid == 0) {
                char number[16];

                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                        err(1, "unshare");
                name_agent(monitor);
                (void)snprintf(number, sizeof(number), "%d", fcntl(pair[1], F_DUPFD, 10));
                (void)execl(monitor->guest, monitor->guest, "--stream", number, "--init", monitor->init, NULL);
                err(1, "%s", monitor->guest);
        }
        (void)close(pair[1]);
}

static pid_t start_init(struct monitor *monitor)
{
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                err(1, "socketpair");
        if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0)
                err(1, "unshare");
        pid = fork();
        if (pid < 0)
                err(1, "fork");
        if (pid == 0)
                become_init(monitor, pair[1]);
        (void)close(pair[1]);
        monitor->status = pair[0];
        return pid;
}

static void add_variable(struct init_config *config, const char *text)
{
        size_t size = strlen(text) + 1;

        memcpy(config->environment + config->environment_size, text, size);
        config->environment_size += (uint32_t)size;
}

static void send_config(const struct monitor *monitor)
{
        struct init_config config = { .magic = STATUS_MAGIC, .uid = monitor->uid, .user = "agent", .home = "/tmp" };
        struct error error = ERROR_INIT;

        (void)snprintf(config.shell, sizeof(config.shell), "%s", monitor->shell);
        add_variable(&config, "PATH=/usr/local/bin:/usr/bin:/bin");
        add_variable(&config, "HOME=/tmp");
        add_variable(&config, "USER=agent");
        add_variable(&config, "HISTFILE=/dev/null");
        if (seqpacket_send(monitor->status, &config, sizeof(config), NULL, 0, 1000, &error) < 0)
                errx(1, "%s", error.text);
}

static void notify(const struct monitor *monitor, uint32_t ending)
{
        struct status_notice notice = { .magic = STATUS_MAGIC, .hit = monitor->hit, .ending = ending };

        if (seqpacket_send(monitor->status, &notice, sizeof(notice), NULL, 0, 1000, NULL) < 0)
                warnx("cannot notify init");
}

/* False at the end of the session. */
static bool take_report(struct monitor *monitor, pid_t init)
{
        struct status_report message;
        size_t count;
        ssize_t got = seqpacket_receive(monitor->status, &message, sizeof(message), NULL, 0, &count, 1000, NULL);

        if (got != (ssize_t)sizeof(message))
                return false;
        if (message.kind == STATUS_UP)
                (void)printf("READY %d\n", (int)init);
        else
                (void)printf("REPORT %u %u %d\n", message.kind, message.channels, message.wait_status);
        (void)fflush(stdout);
        if (message.kind == STATUS_CLOSED && !monitor->mute)
                notify(monitor, ENDING_NONE);
        return true;
}

static bool take_command(struct monitor *monitor)
{
        char line[64];
        ssize_t got = read(STDIN_FILENO, line, sizeof(line) - 1);

        if (got <= 0)
                return false;
        line[got] = '\0';
        if (strncmp(line, "hit ", 4) == 0)
                monitor->hit = (uint32_t)strtoul(line + 4, NULL, 10);
        else if (strncmp(line, "end ", 4) == 0)
                notify(monitor, (uint32_t)strtoul(line + 4, NULL, 10));
        else if (strncmp(line, "mute", 4) == 0)
                monitor->mute = true;
        else
                return false;
        return true;
}

static void watch(struct monitor *monitor, pid_t init)
{
        for (;;) {
                struct pollfd items[] = { { .fd = monitor->status, .events = POLLIN },
                                          { .fd = STDIN_FILENO, .events = POLLIN } };

                if (poll(items, 2, -1) < 0)
                        continue;
                if (items[0].revents != 0 && !take_report(monitor, init))
                        return;
                if (items[1].revents != 0 && !take_command(monitor))
                        return;
        }
}

int main(int argc, char **argv)
{
        struct monitor monitor = { .hit = 0 };
        pid_t init;

        if (argc != 7 && argc != 9)
                errx(2, "usage: session_lab RUNTIME_DIR SESSION_ID UID INIT SHELL PATTERNS [RELAY GUEST]");
        monitor.runtime = argv[1];
        monitor.id = argv[2];
        monitor.uid = (uid_t)strtoul(argv[3], NULL, 10);
        monitor.init = argv[4];
        monitor.shell = argv[5];
        monitor.patterns = argv[6];
        monitor.relay = argc == 9 ? argv[7] : NULL;
        monitor.guest = argc == 9 ? argv[8] : NULL;
        make_session(&monitor);
        start_guest(&monitor);
        init = start_init(&monitor);
        (void)close(monitor.listener);
        if (monitor.relay != NULL)
                (void)close(monitor.stream);
        send_config(&monitor);
        watch(&monitor, init);
        (void)close(monitor.status);
        if (waitpid(init, NULL, 0) < 0)
                warn("waitpid");
        if (monitor.guest_pid > 0 && waitpid(monitor.guest_pid, NULL, 0) < 0)
                warn("waitpid");
        remove_session(&monitor);
        return 0;
}
