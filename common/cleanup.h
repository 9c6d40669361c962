/*
 * cleanup.h - ownership that the compiler releases at the end of a scope.
 *
 *   cleanup_close int fd = -EBADF;      closed at scope end when >= 0
 *   cleanup_free char *text = NULL;     freed at scope end
 *   *ret_fd = TAKE_FD(fd);              moved out: the scope no longer owns it
 *
 * All closers keep errno.
 */
#ifndef AGENTSH_COMMON_CLEANUP_H
#define AGENTSH_COMMON_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close_fd(int *fd)
{
        if (*fd >= 0) {
                int saved = errno;
                (void)close(*fd);
                errno = saved;
        }
        *fd = -EBADF;
}

static inline void cleanup_free_pointer(void *pointer)
{
        int saved = errno;
        free(*(void **)pointer);
        errno = saved;
}

static inline void cleanup_close_dir(DIR **dir)
{
        if (*dir != NULL) {
                int saved = errno;
                (void)closedir(*dir);
                errno = saved;
        }
}

static inline void cleanup_close_file(FILE **file)
{
        if (*file != NULL) {
                int saved = errno;
                (void)fclose(*file);
                errno = saved;
        }
}

#define cleanup_close    __attribute__((cleanup(cleanup_close_fd)))
#define cleanup_free     __attribute__((cleanup(cleanup_free_pointer)))
#define cleanup_closedir __attribute__((cleanup(cleanup_close_dir)))
#define cleanup_fclose   __attribute__((cleanup(cleanup_close_file)))

static inline int take_fd(int *fd)
{
        int taken = *fd;
        *fd = -EBADF;
        return taken;
}

#define TAKE_FD(fd) take_fd(&(fd))
#define TAKE_PTR(pointer)                               \
        ({                                              \
                __typeof__(pointer) taken_ = (pointer); \
                (pointer) = NULL;                       \
                taken_;                                 \
        })

#endif
