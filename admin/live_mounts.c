/* live_mounts.c - what is mounted inside, and how. Pure. */
#include "admin/live_check.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define GROUP  "mounts"
#define PREFIX "mount /"

struct mount {
        const char *target;
        char options[128], root[256]; /* root: what of its file system is mounted */
};

static bool has_option(const char *list, const char *word)
{
        size_t length = strlen(word);

        for (;; list++) {
                size_t here = strcspn(list, ",");

                if (here == length && strncmp(list, word, length) == 0)
                        return true;
                list += here;
                if (*list == '\0')
                        return false;
        }
}

static bool is_one_of(const char *path, const char *const *list, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (strcmp(path, list[i]) == 0)
                        return true;
        return false;
}

static bool may_be_written(const struct live_check *check, const char *target)
{
        static const char *const places[] = { "/tmp", "/var/tmp", "/dev/shm", "/run", "/dev/pts", "/proc" };

        return strcmp(target, check->account->home) == 0 ||
               is_one_of(target, places, sizeof(places) / sizeof(places[0]));
}

static void check_mount(const struct live_check *check, const struct mount *mount)
{
        /* Single devices, and the null device as a mask. */
        bool node = (strncmp(mount->target, "/dev/", 5) == 0 && strcmp(mount->target, "/dev/shm") != 0) ||
                    strcmp(mount->root, "/null") == 0;
        bool writable = !has_option(mount->options, "ro");
        char name[96], expected[64];

        (void)snprintf(name, sizeof(name), "%s", mount->target);
        (void)snprintf(expected, sizeof(expected), "%snosuid%s", may_be_written(check, mount->target) ? "" : "ro,",
                       node ? "" : ",nodev");
        live_add(check->report,
                 has_option(mount->options, "nosuid") && (node || has_option(mount->options, "nodev")) &&
                         (!writable || may_be_written(check, mount->target)),
                 GROUP, name, expected, mount->options);
}

static void check_present(const struct live_check *check)
{
        static const char *const wanted[] = { "/",         "/usr", "/proc",    "/proc/sys", "/dev/pts",
                                              "/dev/null", "/tmp", "/var/tmp", "/run",      "/dev/shm" };

        for (size_t i = 0; i <= sizeof(wanted) / sizeof(wanted[0]); i++) {
                const char *path = i < sizeof(wanted) / sizeof(wanted[0]) ? wanted[i] : check->account->home;
                char key[PATH_MAX + 8];

                if (check->policy->nested && strcmp(path, "/proc/sys") == 0)
                        continue;
                (void)snprintf(key, sizeof(key), "mount %s", path);
                if (live_facts_count(check->facts, key) == 0)
                        live_add(check->report, false, GROUP, path, "a mount of its own", "none");
        }
}

void live_check_mounts(const struct live_check *check)
{
        const char *spreading = NULL;

        for (size_t i = 0; i < check->facts->count; i++) {
                const struct live_fact *fact = &check->facts->fact[i];
                struct mount mount = { .target = fact->key + strlen(PREFIX) - 1 };

                if (strcmp(fact->key, "propagating") == 0)
                        spreading = fact->value;
                if (strncmp(fact->key, PREFIX, strlen(PREFIX)) == 0 &&
                    sscanf(fact->value, "%127s %*s %255s", mount.options, mount.root) == 2)
                        check_mount(check, &mount);
        }
        check_present(check);
        live_add(check->report, spreading == NULL, GROUP, "propagation", "to and from nowhere",
                 spreading != NULL ? spreading : "to and from nowhere");
}
