/* verify_process.c - reads what the self-test checks. Root, in the host's namespaces. */
#include "monitor/verify.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define TEXT_MAX (64 * 1024)

static int read_text(int proc_fd, const char *name, char **ret, struct error *err)
{
        cleanup_close int fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
        size_t size;
        int r;

        if (fd < 0)
                return error_errno(err, errno, "self-test: cannot open %s of process 1", name);
        r = fd_read_all(fd, TEXT_MAX, ret, &size, err);
        return r < 0 ? error_prefix(err, "self-test: %s of process 1", name) : 0;
}

static int check_namespaces(int proc_fd, bool user_namespace, struct error *err)
{
        static const char *const names[] = { "mnt", "pid", "net", "ipc", "uts", "cgroup", "user" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char theirs[32], ours[32];
                struct stat inside, outside;
                bool own = strcmp(names[i], "user") != 0 || user_namespace;

                (void)snprintf(theirs, sizeof(theirs), "ns/%s", names[i]);
                (void)snprintf(ours, sizeof(ours), "/proc/self/ns/%s", names[i]);
                if (fstatat(proc_fd, theirs, &inside, 0) < 0 || stat(ours, &outside) < 0)
                        return error_errno(err, errno, "self-test: cannot look at the %s namespace", names[i]);
                if (inside.st_ino == outside.st_ino && own)
                        return error_text(err, EPERM, "self-test: process 1 is in the host's %s namespace", names[i]);
                /* Its maps were not looked at. */
                if (inside.st_ino != outside.st_ino && !own)
                        return error_text(err, EPERM, "self-test: process 1 is not in the host's %s namespace",
                                          names[i]);
        }
        return 0;
}

/* cgroup.procs of each of the session's directories names the process: its limits hold for it. */
static int check_cgroup(pid_t pid, const struct cgroup *cgroup, struct error *err)
{
        for (size_t i = 0; i < cgroup->count; i++) {
                char text[4096], line[16];
                int r = fd_read_file_at(cgroup->dir[i].fd, "cgroup.procs", text, sizeof(text), err);
                const char *at;

                if (r < 0)
                        return r;
                (void)snprintf(line, sizeof(line), "%d", (int)pid);
                for (at = text; strncmp(at, line, strlen(line)) != 0 || strchr("\n", at[strlen(line)]) == NULL;) {
                        at = strchr(at, '\n');
                        if (at == NULL)
                                return error_text(err, EPERM, "self-test: process 1 is not in the cgroup %s",
                                                  cgroup->dir[i].path);
                        at++;
                }
        }
        return 0;
}

/* What is made inside is charged to the owner as well: never to root. */
static int check_owner(int proc_fd, uid_t uid, struct error *err)
{
        cleanup_close int fd = openat(proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);
        uid_t owner;

        if (fd < 0 || ioctl(fd, NS_GET_OWNER_UID, &owner) < 0)
                return error_errno(err, errno, "self-test: cannot see who owns the user namespace");
        if (owner != uid)
                return error_text(err, EPERM, "self-test: the user namespace should belong to uid %u and belongs to %u",
                                  (unsigned)uid, (unsigned)owner);
        return 0;
}

static int check_maps(int proc_fd, const struct verify_expected *expected, struct error *err)
{
        cleanup_free char *uids = NULL, *gids = NULL;
        int r;

        if (!expected->user_namespace)
                return 0;
        r = check_owner(proc_fd, expected->uid, err);
        if (r >= 0)
                r = read_text(proc_fd, "uid_map", &uids, err);
        if (r >= 0)
                r = verify_map(uids, "uid_map", expected->uid_map, err);
        if (r >= 0)
                r = read_text(proc_fd, "gid_map", &gids, err);
        return r < 0 ? r : verify_map(gids, "gid_map", expected->gid_map, err);
}

int verify_process(pid_t pid, const struct verify_expected *expected, struct error *err)
{
        cleanup_free char *status = NULL, *mounts = NULL, *interfaces = NULL;
        cleanup_close int proc = -EBADF;
        char name[32];
        int r;

        (void)snprintf(name, sizeof(name), "/proc/%d", (int)pid);
        proc = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (proc < 0)
                return error_errno(err, errno, "self-test: cannot open %s", name);
        r = read_text(proc, "status", &status, err);
        if (r >= 0)
                r = verify_status(status, expected, err);
        if (r >= 0)
                r = check_namespaces(proc, expected->user_namespace, err);
        if (r >= 0)
                r = check_maps(proc, expected, err);
        if (r >= 0)
                r = check_cgroup(pid, expected->cgroup, err);
        if (r >= 0)
                r = cgroup_verify(expected->cgroup, err);
        if (r >= 0)
                r = read_text(proc, "mountinfo", &mounts, err);
        if (r >= 0)
                r = verify_mounts(mounts, expected->home, err);
        if (r >= 0)
                r = read_text(proc, "net/dev", &interfaces, err);
        return r < 0 ? r : verify_interfaces(interfaces, err);
}
