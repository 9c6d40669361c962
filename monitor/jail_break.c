/* jail_break.c - see jail_break.h. Root of the host, in the builder's mount namespace, with the view as its root. */
#include "monitor/jail_break.h"

#ifdef AGENTSH_FAULTS
#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "monitor/jail_mount.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MNT_DETACH 2

static int set_mount(const char *path, const struct mount_attr *attr, struct error *err)
{
        if (syscall(SYS_mount_setattr, AT_FDCWD, path, 0, attr, sizeof(*attr)) < 0)
                return error_errno(err, errno, "cannot break the mount on %s", path);
        return 0;
}

static int clear_nosuid(const char *path, struct error *err)
{
        return set_mount(path, &(struct mount_attr){ .attr_clr = MOUNT_ATTR_NOSUID }, err);
}

static int clear_nodev(const char *path, struct error *err)
{
        return set_mount(path, &(struct mount_attr){ .attr_clr = MOUNT_ATTR_NODEV }, err);
}

static int clear_noexec(const char *path, struct error *err)
{
        return set_mount(path, &(struct mount_attr){ .attr_clr = MOUNT_ATTR_NOEXEC }, err);
}

static int clear_readonly(const char *path, struct error *err)
{
        return set_mount(path, &(struct mount_attr){ .attr_clr = MOUNT_ATTR_RDONLY }, err);
}

static int share(const char *path, struct error *err)
{
        return set_mount(path, &(struct mount_attr){ .propagation = MS_SHARED }, err);
}

static int uncover(const char *path, struct error *err)
{
        if (syscall(SYS_umount2, path, MNT_DETACH) < 0)
                return error_errno(err, errno, "cannot uncover %s", path);
        return 0;
}

static const struct {
        const char *prefix; /* of the name in AGENTSH_OMIT; the path follows */
        int (*run)(const char *path, struct error *err);
} kinds[] = {
        { "nosuid of ", clear_nosuid },      { "nodev of ", clear_nodev }, { "noexec of ", clear_noexec },
        { "read-only of ", clear_readonly }, { "private of ", share },     { "mask of ", uncover },
};

static int break_one(const char *name, struct error *err)
{
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                size_t length = strlen(kinds[i].prefix);

                if (strncmp(name, kinds[i].prefix, length) == 0)
                        return kinds[i].run(name + length, err);
        }
        return 0;
}

int jail_break(const char *step, struct error *err)
{
        const char *list = secure_getenv("AGENTSH_OMIT");
        cleanup_free char *names = list != NULL && strcmp(step, "pivot root") == 0 ? strdup(list) : NULL;
        char *rest = names;
        int r = 0;

        while (r >= 0 && rest != NULL)
                r = break_one(strsep(&rest, ","), err);
        return r;
}
#endif
