/*
 * jail_etc.c - the jail's /etc: a few files made here, and read-only parts of the host's (jail_etc.def).
 *
 * Root of the host, before the pivot; reads root's files only. No name service is asked.
 */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "monitor/jail_mount.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_MAX  4096 /* one page; a larger file is cheaper to bind, and then not charged to the session */
#define FILE_SIZE 8192

static int make_file(int etc_fd, const char *name, const char *text, struct error *err)
{
        cleanup_close int fd = openat(etc_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

        if (fd < 0)
                return error_errno(err, errno, "cannot make /etc/%s", name);
        return fd_write_all(fd, text, strlen(text), name, err);
}

static int make_formatted(int etc_fd, const char *name, struct error *err, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

static int make_formatted(int etc_fd, const char *name, struct error *err, const char *fmt, ...)
{
        char text[FILE_SIZE];
        va_list ap;
        int length;

        va_start(ap, fmt);
        length = vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (length < 0 || (size_t)length >= sizeof(text))
                return error_errno(err, EOVERFLOW, "cannot make /etc/%s", name);
        return make_file(etc_fd, name, text, err);
}

/* Home and shell stand in colon-separated fields: a colon or newline in them would forge an entry. */
static int check_field(const char *what, const char *text, struct error *err)
{
        if (strpbrk(text, ":\n") != NULL)
                return error_text(err, EINVAL, "the %s %s cannot stand in a passwd file", what, text);
        return 0;
}

static int make_accounts(int etc_fd, const struct tier_request *request, struct error *err)
{
        const struct policy *policy = request->policy;
        /* Under fake_root the agent is uid 0 inside: both names mean it. */
        unsigned uid = policy->fake_root ? 0 : (unsigned)request->uid;
        unsigned gid = policy->fake_root ? 0 : (unsigned)request->gid;
        const char *root_home = policy->fake_root ? request->home : "/root";
        const char *root_shell = policy->fake_root ? policy->shell : "/usr/sbin/nologin";
        int r = check_field("home", request->home, err);

        if (r >= 0)
                r = check_field("shell", policy->shell, err);
        if (r >= 0)
                r = make_formatted(etc_fd, "passwd", err,
                                   "root:x:0:0:root:%s:%s\n"
                                   "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
                                   "%s:x:%u:%u::%s:%s\n",
                                   root_home, root_shell, policy->account, uid, gid, request->home, policy->shell);
        if (r >= 0)
                r = make_formatted(etc_fd, "group", err, "root:x:0:\nnogroup:x:65534:\n%s:x:%u:\n", policy->account,
                                   gid);
        return r;
}

int jail_make_etc(struct jail *jail, struct error *err)
{
        static const char nsswitch[] = "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\n"
                                       "protocols: files\nservices: files\nethers: files\nrpc: files\n";
        cleanup_close int etc = openat(jail->root_fd, "etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        const char *account = jail->request->policy->account;
        char first[17], second[17];
        int r;

        if (etc < 0)
                return error_errno(err, errno, "cannot open the jail's /etc");
        r = make_accounts(etc, jail->request, err);
        if (r >= 0)
                r = make_file(etc, "nsswitch.conf", nsswitch, err);
        if (r >= 0)
                r = make_file(etc, "resolv.conf", "", err);
        if (r >= 0)
                r = make_formatted(etc, "hostname", err, "%s\n", account);
        if (r >= 0)
                r = make_formatted(etc, "hosts", err,
                                   "127.0.0.1 localhost %s\n::1 localhost ip6-localhost ip6-loopback\n", account);
        if (r >= 0)
                r = process_random_id(first, err);
        if (r >= 0)
                r = process_random_id(second, err);
        if (r >= 0)
                r = make_formatted(etc, "machine-id", err, "%s%s\n", first, second);
        if (r >= 0 && symlinkat("/proc/self/mounts", etc, "mtab") < 0)
                r = error_errno(err, errno, "cannot make /etc/mtab");
        return r;
}

static int copy_link(int from_fd, int to_fd, const char *name, struct error *err)
{
        char target[PATH_MAX];
        ssize_t length = readlinkat(from_fd, name, target, sizeof(target) - 1);

        if (length < 0)
                return error_errno(err, errno, "cannot read the link /etc/%s", name);
        target[length] = '\0';
        if (symlinkat(target, to_fd, name) < 0)
                return error_errno(err, errno, "cannot make the link /etc/%s", name);
        return 0;
}

static int copy_file(int from_fd, int to_fd, const char *name, struct error *err)
{
        cleanup_close int from = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        cleanup_close int to = -EBADF;
        char buffer[COPY_MAX];
        ssize_t got;

        if (from < 0)
                return error_errno(err, errno, "cannot open /etc/%s", name);
        got = read(from, buffer, sizeof(buffer));
        if (got < 0)
                return error_errno(err, errno, "cannot read /etc/%s", name);
        to = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (to < 0)
                return error_errno(err, errno, "cannot make the jail's /etc/%s", name);
        return fd_write_all(to, buffer, (size_t)got, name, err);
}

static int make_parent(int etc_fd, const char *path, struct error *err)
{
        const char *slash = strchr(path, '/');
        char parent[64];

        if (slash == NULL)
                return 0;
        (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
        if (mkdirat(etc_fd, parent, 0755) < 0 && errno != EEXIST)
                return error_errno(err, errno, "cannot make /etc/%s", parent);
        return 0;
}

static int bind_one(int from_fd, int to_fd, const char *path, const struct stat *st, struct error *err)
{
        int r = S_ISDIR(st->st_mode) ? mkdirat(to_fd, path, 0755) : mknodat(to_fd, path, S_IFREG | 0644, 0);

        if (r < 0)
                return error_errno(err, errno, "cannot make /etc/%s", path);
        return mount_bind(from_fd, path, to_fd, path, false, 0, err);
}

static int add_host_file(int from_fd, int to_fd, const char *path, struct error *err)
{
        struct stat st;
        int r;

        if (fstatat(from_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : error_errno(err, errno, "cannot look at /etc/%s", path);
        /* What others may not read on the host is nobody's business inside either. */
        if (st.st_uid != 0 || (st.st_mode & S_IROTH) == 0)
                return 0;
        r = make_parent(to_fd, path, err);
        if (r < 0)
                return r;
        if (S_ISLNK(st.st_mode))
                return copy_link(from_fd, to_fd, path, err);
        if (S_ISREG(st.st_mode) && st.st_size <= COPY_MAX)
                return copy_file(from_fd, to_fd, path, err);
        if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
                return bind_one(from_fd, to_fd, path, &st, err);
        return 0;
}

int jail_bind_etc(struct jail *jail, struct error *err)
{
#define HOST_ETC(path) path,
        static const char *const paths[] = {
#include "monitor/jail_etc.def"
        };
#undef HOST_ETC
        cleanup_close int from = open("/etc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        cleanup_close int to = openat(jail->root_fd, "etc", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (from < 0 || to < 0)
                return error_errno(err, errno, "cannot open /etc");
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                int r = add_host_file(from, to, paths[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}
