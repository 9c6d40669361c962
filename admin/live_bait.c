/* live_bait.c - puts out what must be out of reach inside. Root. */
#include "admin/live_bait.h"

#include "common/cleanup.h"
#include "common/process.h"

#include <errno.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#define KEY_SECONDS 120

static int listen_unix(const char *name, bool abstract, struct error *err)
{
        cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t length = strlen(name);
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + length);

        if (fd < 0 || abstract + length >= sizeof(address.sun_path))
                return error_errno(err, errno, "cannot make a socket");
        memcpy(address.sun_path + abstract, name, length);
        if (bind(fd, (const struct sockaddr *)&address, size) < 0 || listen(fd, 4) < 0)
                return error_errno(err, errno, "cannot listen on the socket %s", name);
        return TAKE_FD(fd);
}

static int listen_tcp(unsigned *ret_port, struct error *err)
{
        cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);

        if (fd < 0 || bind(fd, (const struct sockaddr *)&address, size) < 0 || listen(fd, 4) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                return error_errno(err, errno, "cannot listen on a loopback port");
        *ret_port = ntohs(address.sin_port);
        return TAKE_FD(fd);
}

static int make_directory(struct live_bait *bait, struct error *err)
{
        cleanup_close int directory = -EBADF, file = -EBADF;
        char path[sizeof(bait->directory) + 16];
        char template[] = "/tmp/agentsh-doctor.XXXXXX";

        if (mkdtemp(template) == NULL)
                return error_errno(err, errno, "cannot make a directory in /tmp");
        (void)snprintf(bait->directory, sizeof(bait->directory), "%s", template);
        directory = open(bait->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (directory < 0 || fchmod(directory, 0755) < 0)
                return error_errno(err, errno, "cannot open %s", bait->directory);
        file = openat(directory, "file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (file < 0 || fchmod(file, 0644) < 0)
                return error_errno(err, errno, "cannot make a file in %s", bait->directory);
        (void)snprintf(path, sizeof(path), "%s/socket", bait->directory);
        bait->socket_fd = listen_unix(path, false, err);
        if (bait->socket_fd < 0)
                return bait->socket_fd;
        return fchmodat(directory, "socket", 0777, 0) < 0 ? error_errno(err, errno, "cannot open %s to all", path) : 0;
}

/* As the uid: its own user keyring is the one that a session of the uid's would have. */
static _Noreturn void add_key_as(const struct account *account, const char *name)
{
        long key;

        if (syscall(SYS_setresgid, account->gid, account->gid, account->gid) < 0 ||
            syscall(SYS_setresuid, account->uid, account->uid, account->uid) < 0)
                _exit(1);
        key = syscall(SYS_add_key, "user", name, "out of reach", strlen("out of reach"), KEY_SPEC_USER_KEYRING);
        if (key >= 0)
                (void)syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, key, KEY_SECONDS, 0, 0);
        /* A kernel without keys has none to find. */
        _exit(key >= 0 || errno == ENOSYS ? 0 : 1);
}

static int put_key(const struct live_bait *bait, const struct account *account, struct error *err)
{
        pid_t child = fork();
        int status = 0;

        if (child < 0)
                return error_errno(err, errno, "cannot start a process");
        if (child == 0)
                add_key_as(account, bait->key);
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return error_errno(err, errno, "cannot wait for a process");
        if (status != 0)
                return error_text(err, EIO, "cannot put a key into the user keyring of %s", account->name);
        return 0;
}

int live_bait_put(struct live_bait *bait, const struct account *account, struct error *err)
{
        char id[17];
        int r = process_random_id(id, err);

        if (r < 0)
                return r;
        (void)snprintf(bait->abstract, sizeof(bait->abstract), "agentsh-doctor-%s", id);
        (void)snprintf(bait->key, sizeof(bait->key), "agentsh-doctor-%s", id);
        r = make_directory(bait, err);
        if (r < 0)
                return r;
        bait->abstract_fd = listen_unix(bait->abstract, true, err);
        if (bait->abstract_fd < 0)
                return bait->abstract_fd;
        bait->tcp_fd = listen_tcp(&bait->port, err);
        return bait->tcp_fd < 0 ? bait->tcp_fd : put_key(bait, account, err);
}

void live_bait_check(const struct live_bait *bait, struct live_report *report)
{
        static const char *const names[] = { "abstract socket of the host's", "socket in the host's /tmp",
                                             "TCP port on the host's loopback" };
        struct pollfd fds[] = { { .fd = bait->abstract_fd, .events = POLLIN },
                                { .fd = bait->socket_fd, .events = POLLIN },
                                { .fd = bait->tcp_fd, .events = POLLIN } };
        int ready = poll(fds, sizeof(fds) / sizeof(fds[0]), 0);

        for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
                live_add(report, ready >= 0 && fds[i].revents == 0, "reach", names[i], "nobody came",
                         ready < 0             ? "it could not be looked at"
                         : fds[i].revents == 0 ? "nobody came"
                                               : "a connection");
}

void live_bait_remove(struct live_bait *bait)
{
        cleanup_close_fd(&bait->abstract_fd);
        cleanup_close_fd(&bait->socket_fd);
        cleanup_close_fd(&bait->tcp_fd);
        if (bait->directory[0] != '\0') {
                cleanup_close int directory = open(bait->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

                if (directory >= 0) {
                        (void)unlinkat(directory, "socket", 0);
                        (void)unlinkat(directory, "file", 0);
                }
                (void)rmdir(bait->directory);
                bait->directory[0] = '\0';
        }
}
