/* user_manager.c - user@UID.service of agents, masked by a link to /dev/null in systemd's directory. Root. */
#include "admin/user_manager.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UNIT_DIR "/etc/systemd/system"
#define MASK     "/dev/null"

static void unit_name(uid_t uid, char ret[32])
{
        (void)snprintf(ret, 32, "user@%u.service", (unsigned)uid);
}

static bool is_mask(int dirfd, const char *name)
{
        char target[sizeof(MASK) + 1];
        ssize_t length = readlinkat(dirfd, name, target, sizeof(target));

        return length == (ssize_t)strlen(MASK) && memcmp(target, MASK, strlen(MASK)) == 0;
}

static int open_units(struct error *err)
{
        return fd_open_absolute(UNIT_DIR, O_RDONLY | O_DIRECTORY, 0, err);
}

int user_manager_mask(uid_t uid, bool *ret_made, struct error *err)
{
        cleanup_close int dir = open_units(err);
        char name[32];

        *ret_made = false;
        if (dir < 0)
                return dir == -ENOENT ? 0 : dir;
        unit_name(uid, name);
        if (symlinkat(MASK, dir, name) == 0) {
                *ret_made = true;
                return 0;
        }
        if (errno == EEXIST && is_mask(dir, name))
                return 0;
        return error_errno(err, errno, "cannot mask %s, which logind would start for the account, in " UNIT_DIR, name);
}

int user_manager_unmask(uid_t uid, struct error *err)
{
        cleanup_close int dir = open_units(err);
        char name[32];

        if (dir < 0)
                return dir == -ENOENT ? 0 : dir;
        unit_name(uid, name);
        if (!is_mask(dir, name) || unlinkat(dir, name, 0) == 0 || errno == ENOENT)
                return 0;
        return error_errno(err, errno, "cannot remove " UNIT_DIR "/%s", name);
}

bool user_manager_is_masked(uid_t uid)
{
        cleanup_close int dir = open_units(NULL);
        char name[32];

        unit_name(uid, name);
        return dir == -ENOENT || (dir >= 0 && is_mask(dir, name));
}
