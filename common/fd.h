/*
 * fd.h - files by directory fd, checked after opening, never before. Needs no capability of its own.
 */
#ifndef AGENTSH_COMMON_FD_H
#define AGENTSH_COMMON_FD_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Open `path` below `dirfd` so that no component is a symbolic link, ".." or a magic link and the walk stays below:
 * openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), or where the kernel or a seccomp filter has
 * no openat2 (ENOSYS, EPERM at probe), a walk of O_NOFOLLOW opens, one component at a time. O_CLOEXEC is always added.
 * `flags`, `mode` as open(2). Returns the new fd (owned by the caller) or -errno; -ELOOP for a link on the way.
 */
must_check int fd_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct error *err);

/* The fallback of fd_open_beneath alone, for its test. */
must_check int fd_open_beneath_walk(int dirfd, const char *path, int flags, mode_t mode, struct error *err);

/* Open an absolute path by walking from "/" with fd_open_beneath: no link anywhere on the way. */
must_check int fd_open_absolute(const char *path, int flags, mode_t mode, struct error *err);

/*
 * Check an *open* file: owned by root, not writable by group or others (the sticky bit excuses nothing), and of
 * `type` (S_IFREG, S_IFDIR; a regular file must also have one link only). `name` is for the error text.
 */
must_check int fd_check_root_owned(int fd, mode_t type, const char *name, struct error *err);

/*
 * Read the whole file into a new buffer with a NUL after its end. More than `max` bytes: -EFBIG. *ret_size is the
 * number of bytes read (the content may have NULs of its own). The caller frees *ret_text.
 */
must_check int fd_read_all(int fd, size_t max, char **ret_text, size_t *ret_size, struct error *err);

/* Write all of it, through short writes and EINTR. `name` is for the error text. */
must_check int fd_write_all(int fd, const void *data, size_t size, const char *name, struct error *err);

/* openat(O_WRONLY|O_CLOEXEC|O_NOFOLLOW) an existing file (cgroup, proc), write `text` in one write, close. */
must_check int fd_write_file_at(int dirfd, const char *name, const char *text, struct error *err);

/* Read a small file below dirfd (cgroup, proc; at most size - 1 bytes) into `ret`, one trailing newline cut. */
must_check int fd_read_file_at(int dirfd, const char *name, char *ret, size_t size, struct error *err);

/*
 * mkdirat below a root-owned directory, or accept the directory that is there if it is root-owned and not writable
 * by others. A new one gets `mode` exactly, whatever the umask; from one that is there, bits beyond `mode` are taken.
 * *ret_fd is the directory, opened O_RDONLY|O_DIRECTORY.
 */
must_check int fd_make_dir(int dirfd, const char *name, mode_t mode, int *ret_fd, struct error *err);

/*
 * Remove `name` below dirfd with all that is in it, never following a link and never crossing a mount (a bind mount of
 * the same file system included: -EXDEV). Any depth: what lies too deep for the stack is moved up first. What is not
 * there has been removed: 0.
 */
must_check int fd_remove_tree(int dirfd, const char *name, struct error *err);

/*
 * Make sure that 0, 1 and 2 are open (on /dev/null), so that no later fd lands there. For programs started with
 * closed stdio.
 */
must_check int fd_open_stdio(struct error *err);

/* Close every fd >= first but those in keep[0..count) (ascending order not needed). */
must_check int fd_close_others(int first, const int *keep, size_t count, struct error *err);

#endif
