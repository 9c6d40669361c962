/*
 * jail_etc.c - the jail's /etc: the prepared tree, the files of this account, and what of the host's is bound.
 *
 * Root of the host, before the pivot; reads root's files only. No name service is asked.
 */
#include "monitor/jail_etc.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "monitor/jail.h"
#include "monitor/jail_mount.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 8192

static int make_file(int dirfd, const char *name, struct error *err, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

static int make_file(int dirfd, const char *name, struct error *err, const char *fmt, ...)
{
        cleanup_close int fd = -EBADF;
        char text[TEXT_MAX];
        va_list ap;
        int length;

        va_start(ap, fmt);
        length = vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (length < 0 || (size_t)length >= sizeof(text))
                return error_errno(err, EOVERFLOW, "cannot make the jail's /etc/%s", name);
        fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return error_errno(err, errno, "cannot make the jail's /etc/%s", name);
        return fd_write_all(fd, text, (size_t)length, name, err);
}

/* Home and shell stand in colon-separated fields: a colon or newline in them would forge an entry. */
static int check_field(const char *what, const char *text, struct error *err)
{
        if (strpbrk(text, ":\n") != NULL)
                return error_text(err, EINVAL, "the %s %s cannot stand in a passwd file", what, text);
        return 0;
}

static int make_accounts(int dirfd, const struct tier_request *request, struct error *err)
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
                r = make_file(dirfd, "passwd", err,
                              "root:x:0:0:root:%s:%s\n"
                              "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
                              "%s:x:%u:%u::%s:%s\n",
                              root_home, root_shell, policy->account, uid, gid, request->home, policy->shell);
        if (r >= 0)
                r = make_file(dirfd, "group", err, "root:x:0:\nnogroup:x:65534:\n%s:x:%u:\n", policy->account, gid);
        return r;
}

int jail_make_account(struct jail *jail, struct error *err)
{
        const char *account = jail->request->policy->account;
        cleanup_close int dir = -EBADF;
        char first[17], second[17];
        int r;

        if (mkdirat(jail->root_fd, JAIL_ACCOUNT_DIR, 0755) < 0)
                return error_errno(err, errno, "cannot make /" JAIL_ACCOUNT_DIR);
        dir = openat(jail->root_fd, JAIL_ACCOUNT_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return error_errno(err, errno, "cannot open /" JAIL_ACCOUNT_DIR);
        r = make_accounts(dir, jail->request, err);
        if (r >= 0)
                r = make_file(dir, "hostname", err, "%s\n", account);
        if (r >= 0)
                r = make_file(dir, "hosts", err, "127.0.0.1 localhost %s\n::1 localhost ip6-localhost ip6-loopback\n",
                              account);
        if (r >= 0)
                r = process_random_id(first, err);
        if (r >= 0)
                r = process_random_id(second, err);
        return r < 0 ? r : make_file(dir, "machine-id", err, "%s%s\n", first, second);
}

int etc_bind(int host, int tree, const unsigned char *kinds, struct error *err)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ETC_PATHS; i++)
                if (kinds[i] == ETC_FILE || kinds[i] == ETC_DIR)
                        r = mount_bind(host, etc_paths[i], tree, etc_paths[i], false, 0, err);
        return r;
}

int jail_mount_etc(struct jail *jail, struct error *err)
{
        cleanup_close int host = open("/etc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = mount_attach(jail->etc_fd, jail->root_fd, "etc", err);

        if (r < 0)
                return r;
        if (host < 0)
                return error_errno(err, errno, "cannot open /etc");
        return etc_bind(host, jail->etc_fd, jail->etc_kinds, err);
}
