/*
 * jail_home.c - the agent's data home: opened on the host by the monitor, attached at the passwd path by the builder.
 *
 * The directory is the agent's and so are all names in it: it is only ever touched through one fd, and nothing in it
 * is looked at. Needs CAP_SYS_ADMIN, and CAP_DAC_OVERRIDE or being root for the 0700 directory above it.
 */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "monitor/jail_mount.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether `path` is `directory` or lies below it. */
static bool lies_below(const char *path, const char *directory)
{
        size_t length = strlen(directory);

        return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static int check_home(const char *home, struct error *err)
{
        /* Taken by the view, as a whole with what is below... */
        static const char *const trees[] = { "/bin",   "/boot",   "/dev",       "/etc",     "/lib",     "/lib32",
                                             "/lib64", "/libx32", "/proc",      "/run",     "/sbin",    "/sys",
                                             "/tmp",   "/usr",    "/var/empty", "/var/tmp", "/var/run", "/var/lock" };
        /* ... or alone, having mounts below. */
        static const char *const directories[] = { "/", "/var", "/home" };
        int r = parse_path(home, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
                if (lies_below(home, trees[i]))
                        return error_text(err, EINVAL,
                                          "the home %s is inside %s, which the jail needs itself; give "
                                          "the account another (usermod --home)",
                                          home, trees[i]);
        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
                if (strcmp(home, directories[i]) == 0)
                        return error_text(err, EINVAL,
                                          "%s cannot be a home; give the account another "
                                          "(usermod --home)",
                                          home);
        return 0;
}

static int open_data_home(const struct jail *jail, struct error *err)
{
        const char *account = jail->request->policy->account;
        cleanup_close int homes = fd_open_absolute(jail->places->homes, O_PATH | O_DIRECTORY, 0, err);
        cleanup_close int home = -EBADF;
        struct stat st;
        int r;

        if (homes < 0)
                return homes;
        r = fd_check_root_owned(homes, S_IFDIR, jail->places->homes, err);
        if (r < 0)
                return r;
        home = fd_open_beneath(homes, account, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, err);
        if (home < 0)
                return error_prefix(err, "the data home %s/%s (`agentshctl account add` makes it)", jail->places->homes,
                                    account);
        if (fstat(home, &st) < 0)
                return error_errno(err, errno, "cannot look at the data home of %s", account);
        if (st.st_uid != jail->request->uid)
                return error_text(err, EPERM, "the data home %s/%s belongs to uid %u, not to %s (uid %u)",
                                  jail->places->homes, account, (unsigned)st.st_uid, account,
                                  (unsigned)jail->request->uid);
        return TAKE_FD(home);
}

int jail_open_home(struct jail *jail, struct error *err)
{
        cleanup_close int home = -EBADF;
        int fd, r = check_home(jail->request->home, err);

        if (r < 0 || jail->request->policy->home_mode == HOME_EPHEMERAL)
                return r;
        home = open_data_home(jail, err);
        if (home < 0)
                return home;
        fd = mount_clone(home, "", false, MOUNT_WRITABLE, err);
        if (fd < 0)
                return fd;
        jail->home_fd = fd;
        return 0;
}

/* Make `path` (absolute, normalised) below the root of the view, with the directories above it. */
static int make_path(int root_fd, const char *path, struct error *err)
{
        char part[PATH_MAX];

        for (size_t length = 1;; length++) {
                if (path[length] != '/' && path[length] != '\0')
                        continue;
                memcpy(part, path + 1, length - 1);
                part[length - 1] = '\0';
                if (mkdirat(root_fd, part, 0755) < 0 && errno != EEXIST)
                        return error_errno(err, errno, "cannot make /%s in the view", part);
                if (path[length] == '\0')
                        return 0;
        }
}

int jail_make_home(struct jail *jail, struct error *err)
{
        return make_path(jail->root_fd, jail->request->home, err);
}

int jail_mount_home(struct jail *jail, struct error *err)
{
        const struct tier_request *request = jail->request;

        if (request->policy->home_mode == HOME_EPHEMERAL) {
                cleanup_close int fd = mount_new_tmpfs(request->policy->home_size, 0700, request->uid, request->gid,
                                                       MOUNT_WRITABLE, err);

                return fd < 0 ? fd : mount_attach(fd, jail->root_fd, request->home + 1, err);
        }
        return mount_attach(jail->home_fd, jail->root_fd, request->home + 1, err);
}
