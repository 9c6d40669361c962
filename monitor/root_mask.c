/* root_mask.c - see root_mask.h. Covers by bind mounts, so that whatever reads the tree later cannot miss one. */
#include "monitor/root_mask.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "monitor/jail_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PARTS_MAX 128  /* of a size: directories in the first two levels */
#define MASKS_MAX 4096 /* mounts; hosts have some dozens of such files */
#define NAMED     3    /* largest parts that a message names */

struct part {
        char name[96];
        uint64_t size;
};

struct walk {
        const struct root_cover *cover;
        size_t skip; /* bytes of the tree's own path */
        size_t masks;
        uint64_t total;                   /* bytes */
        struct part parts[PARTS_MAX + 1]; /* the last: all others */
        size_t parts_count;
};

static int put_over(int dirfd, const char *path, bool directory, const struct root_cover *cover, struct error *err)
{
        return mount_bind(directory ? cover->directory_fd : cover->file_fd, "", dirfd, path, false, MOUNT_READONLY,
                          err);
}

int root_mask_paths(int root_fd, const struct policy_texts *paths, const struct root_cover *cover, struct error *err)
{
        for (size_t i = 0; i < paths->count; i++) {
                const char *path = paths->text[i] + 1;
                cleanup_close int fd = fd_open_beneath(root_fd, path, O_PATH | O_NOFOLLOW, 0, err);
                struct stat status;
                int r;

                if (fd == -ENOENT || fd == -ENOTDIR)
                        continue;
                if (fd == -ELOOP)
                        return error_text(err, ELOOP, "[root] omit: /%s is a link, or behind one: name where it leads",
                                          path);
                if (fd < 0)
                        return error_prefix(err, "[root] omit");
                if (fstat(fd, &status) < 0)
                        return error_errno(err, errno, "cannot look at /%s", path);
                r = put_over(root_fd, path, S_ISDIR(status.st_mode), cover, err);
                if (r < 0)
                        return error_prefix(err, "cannot leave out /%s", path);
        }
        return 0;
}

/* "/usr/lib" of "/usr/lib/x/y"; the length of all of it when it is shorter. */
static size_t part_length(const char *path)
{
        const char *second = path[0] != '\0' ? strchr(path + 1, '/') : NULL;
        const char *third = second != NULL ? strchr(second + 1, '/') : NULL;

        return third != NULL ? (size_t)(third - path) : strlen(path);
}

static struct part *part_of(struct walk *walk, const char *path)
{
        size_t length = part_length(path);

        for (size_t i = walk->parts_count; i-- > 0;)
                if (strncmp(walk->parts[i].name, path, length) == 0 && walk->parts[i].name[length] == '\0')
                        return &walk->parts[i];
        if (walk->parts_count == PARTS_MAX || length >= sizeof(walk->parts[0].name))
                return &walk->parts[PARTS_MAX];
        (void)snprintf(walk->parts[walk->parts_count].name, sizeof(walk->parts[0].name), "%.*s", (int)length, path);
        return &walk->parts[walk->parts_count++];
}

static int mask(struct walk *walk, FTS *tree, FTSENT *entry, bool directory, struct error *err)
{
        int r;

        if (walk->masks++ == MASKS_MAX)
                return error_text(err, E2BIG,
                                  "more than %d files in it may not be read by everybody: name their "
                                  "directories in [root] omit",
                                  MASKS_MAX);
        r = put_over(AT_FDCWD, entry->fts_accpath, directory, walk->cover, err);
        if (r >= 0 && directory && fts_set(tree, entry, FTS_SKIP) < 0)
                r = error_errno(err, errno, "cannot pass over a directory");
        return r < 0 ? error_prefix(err, "cannot leave out %s", entry->fts_path + walk->skip) : 0;
}

static int visit(struct walk *walk, FTS *tree, FTSENT *entry, struct error *err)
{
        mode_t mode = entry->fts_info == FTS_NS ? 0 : entry->fts_statp->st_mode;

        switch (entry->fts_info) {
        case FTS_D:
                /* The tree's own top is the guest's root. */
                return (mode & 05) == 05 || entry->fts_level == FTS_ROOTLEVEL ? 0 : mask(walk, tree, entry, true, err);
        case FTS_F:
                if ((mode & 04) == 0)
                        return mask(walk, tree, entry, false, err);
                walk->total += (uint64_t)entry->fts_statp->st_size;
                part_of(walk, entry->fts_path + walk->skip)->size += (uint64_t)entry->fts_statp->st_size;
                return 0;
        case FTS_ERR:
        case FTS_NS:
        case FTS_DNR:
        case FTS_DC:
                return error_errno(err, entry->fts_errno != 0 ? entry->fts_errno : ELOOP, "cannot look at %s",
                                   entry->fts_path + walk->skip);
        default:
                return 0;
        }
}

static int larger_first(const void *a, const void *b)
{
        const struct part *one = a, *other = b;

        return one->size > other->size ? -1 : one->size < other->size;
}

static int refuse_size(struct walk *walk, uint64_t limit, struct error *err)
{
        char largest[NAMED * 128] = "";
        size_t used = 0;

        qsort(walk->parts, walk->parts_count, sizeof(walk->parts[0]), larger_first);
        for (size_t i = 0; i < NAMED && i < walk->parts_count && used < sizeof(largest); i++)
                used += (size_t)snprintf(largest + used, sizeof(largest) - used, "%s%s %lluM", i > 0 ? ", " : "",
                                         walk->parts[i].name, (unsigned long long)(walk->parts[i].size >> 20));
        return error_text(
                err, EFBIG,
                "%lluM would go into it, and [root] size allows %lluM: leave directories out with [root] omit "
                "(the largest are %s), or allow more",
                (unsigned long long)(walk->total >> 20), (unsigned long long)(limit >> 20), largest);
}

int root_mask_unreadable(const char *path, const struct root_cover *cover, uint64_t limit, struct error *err)
{
        char *start = strdup(path);
        char *const starts[] = { start, NULL };
        cleanup_free struct walk *walk = calloc(1, sizeof(*walk));
        FTS *tree = start != NULL && walk != NULL ? fts_open(starts, FTS_PHYSICAL, NULL) : NULL;
        FTSENT *entry;
        int r = tree == NULL ? error_errno(err, errno, "cannot walk through the root") : 0;

        if (r >= 0) {
                walk->cover = cover;
                walk->skip = strlen(path);
        }
        while (r >= 0 && (errno = 0, entry = fts_read(tree)) != NULL)
                r = visit(walk, tree, entry, err);
        if (r >= 0 && errno != 0)
                r = error_errno(err, errno, "cannot walk through the root");
        if (r >= 0 && walk->total > limit)
                r = refuse_size(walk, limit, err);
        if (tree != NULL)
                (void)fts_close(tree);
        free(start);
        return r < 0 ? r : 0;
}
