/*
 * root_view.c - see root_view.h. A child of the monitor makes the view in a mount namespace of its own, as root, then
 * gives up all rights and runs mkfs.erofs on it.
 */
#include "monitor/root_view.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/paths.h"
#include "monitor/jail_etc.h"
#include "monitor/jail_mount.h"
#include "monitor/jail_root.h"
#include "monitor/root_mask.h"
#include "monitor/vm_uid.h"
#include "vm/root_store.h"
#include "vm/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACE        "root-view" /* below the runtime directory: where the view is mounted, seen by its child alone */
#define VIEW         AGENTSH_RUNTIME_DIR "/" PLACE "/view"
#define PLACE_SIZE   (4ULL << 20)
#define IMAGE_FD     9
#define MKFS_SECONDS 300

static int become_private(struct error *err)
{
        if (unshare(CLONE_NEWNS) < 0 || syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return error_errno(err, errno, "cannot make a mount namespace");
        return 0;
}

/* A small memory file system at PLACE: the view, and what covers parts of it. */
static int make_place(struct root_cover *ret_cover, struct error *err)
{
        cleanup_close int runtime = fd_open_absolute(AGENTSH_RUNTIME_DIR, O_RDONLY | O_DIRECTORY, 0, err);
        cleanup_close int below = -EBADF;
        cleanup_close int place = -EBADF;
        int r;

        if (runtime < 0)
                return runtime;
        r = fd_make_dir(runtime, PLACE, 0700, &below, err);
        if (r < 0)
                return r;
        place = mount_new_tmpfs(PLACE_SIZE, 0711, 0, 0, MOUNT_WRITABLE, err);
        if (place < 0)
                return place;
        if (mkdirat(place, "view", 0755) < 0 || mkdirat(place, "none", 0755) < 0)
                return error_errno(err, errno, "cannot make the place of the view");
        ret_cover->file_fd = openat(place, "empty", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        ret_cover->directory_fd = openat(place, "none", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (ret_cover->file_fd < 0 || ret_cover->directory_fd < 0)
                return error_errno(err, errno, "cannot make what covers parts of the view");
        return mount_attach(place, below, "", err);
}

static int write_file(int dirfd, const char *name, const char *text, struct error *err)
{
        cleanup_close int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

        return fd < 0 ? error_errno(err, errno, "cannot make /etc/%s", name)
                      : fd_write_all(fd, text, strlen(text), name, err);
}

/* The jail's /etc, but for the files of an account: the guest adds it to these. */
static int fill_etc(int etc, struct error *err)
{
        static const char *const files[][2] = {
                { "passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
                { "group", "root:x:0:\nnogroup:x:65534:\n" },
                { "hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" },
        };
        cleanup_close int host = open("/etc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        unsigned char kinds[ETC_PATHS];
        uint64_t hash = 0;
        int r;

        if (host < 0)
                return error_errno(err, errno, "cannot open /etc");
        r = etc_look_at_host(host, kinds, &hash, err);
        if (r >= 0)
                r = etc_fill(host, etc, kinds, err);
        for (size_t i = 0; r >= 0 && i < sizeof(files) / sizeof(files[0]); i++)
                r = write_file(etc, files[i][0], files[i][1], err);
        if (r >= 0 && symlinkat("/proc/self/mounts", etc, "mtab") < 0)
                r = error_errno(err, errno, "cannot make /etc/mtab");
        return r < 0 ? r : etc_bind(host, etc, kinds, err);
}

static int view_host(int view, struct error *err)
{
        cleanup_close int etc = -EBADF;
        int r = root_make_directories(view, err);

        if (r >= 0)
                r = root_bind_system(view, err);
        if (r < 0)
                return r;
        etc = openat(view, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return etc < 0 ? error_errno(err, errno, "cannot open the view's /etc") : fill_etc(etc, err);
}

static int view_directory(const char *path, int view, struct error *err)
{
        cleanup_close int directory = fd_open_absolute(path, O_PATH | O_DIRECTORY, 0, err);
        int r;

        if (directory < 0)
                return directory;
        r = fd_check_root_owned(directory, S_IFDIR, path, err);
        return r < 0 ? r : mount_bind(directory, "", view, "", false, MOUNT_READONLY, err);
}

static int open_view(struct error *err)
{
        int fd = open(VIEW, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? error_errno(err, errno, "cannot open the view") : fd;
}

static int make_view(const struct root_wish *wish, struct error *err)
{
        struct root_cover cover = { -EBADF, -EBADF };
        cleanup_close int view = -EBADF;
        int r = become_private(err);

        (void)umask(0);
        if (r >= 0)
                r = make_place(&cover, err);
        if (r < 0)
                return r;
        view = open_view(err);
        if (view < 0)
                return view;
        r = wish->directory == NULL ? view_host(view, err) : view_directory(wish->directory, view, err);
        if (r < 0)
                return r;
        /* What was mounted on it is reached by its name only. */
        (void)close(view);
        view = open_view(err);
        if (view < 0)
                return view;
        r = OMIT_POINT("root paths left out") ? 0 : root_mask_paths(view, wish->omit, &cover, err);
        if (r < 0 || OMIT_POINT("root unreadable files"))
                return r;
        return root_mask_unreadable(VIEW, &cover, wish->size, err);
}

/* Die when the monitor does. */
static int end_with(pid_t parent, struct error *err)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                return error_text(err, ESRCH, "the monitor is gone");
        return 0;
}

/* From here on what reads the tree may read what everybody may, and write the image alone. */
static int give_up_rights(int image_fd, pid_t parent, struct error *err)
{
        const uid_t uid = vm_uid();

        if (fchown(image_fd, uid, uid) < 0 || dup2(image_fd, IMAGE_FD) < 0)
                return error_errno(err, errno, "cannot pass the image on");
        if (OMIT_POINT("root image without rights"))
                return 0;
        if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
                return error_errno(err, errno, "cannot give up root's rights");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setuid(0) == 0)
                return error_text(err, EPERM, "root's rights were not given up");
        /* A change of identity has taken it away. */
        return end_with(parent, err);
}

static int make_image(const struct root_wish *wish, int image_fd, pid_t parent, struct error *err)
{
        char image[32];
        /* No extended attributes: capabilities of files mean nothing inside. */
        const char *view = VIEW;
        const char *const argv[] = { ROOT_IMAGE_PROGRAM, "-x-1", image, view, NULL };
        int r = make_view(wish, err);

        if (r >= 0)
                r = give_up_rights(image_fd, parent, err);
        (void)snprintf(image, sizeof(image), "/proc/self/fd/%d", IMAGE_FD);
        return r < 0 ? r : spawn_program(argv, -1, -1, MKFS_SECONDS, "cannot make the image", err);
}

_Noreturn static void child_main(const struct root_wish *wish, int image_fd, int report_fd, pid_t parent)
{
        struct error err = ERROR_INIT;

        if (end_with(parent, &err) >= 0 && make_image(wish, image_fd, parent, &err) >= 0)
                _exit(0);
        /* When this fails, the monitor sees the end of a process that said nothing. */
        if (fd_write_all(report_fd, &err, sizeof(err), "the report", NULL) < 0)
                _exit(2);
        _exit(1);
}

/* The child is ours and says nothing of anybody else's making but paths: one whole struct, or nothing. */
static int read_report(int report_fd, struct error *err)
{
        struct error found;
        ssize_t got;

        do
                got = read(report_fd, &found, sizeof(found));
        while (got < 0 && errno == EINTR);
        if (got != (ssize_t)sizeof(found))
                return error_text(err, EIO, "cannot make the image: its process died");
        found.text[sizeof(found.text) - 1] = '\0';
        return error_text(err, found.number > 0 ? found.number : EIO, "%s", found.text);
}

static int wait_for(pid_t child, int report_fd, struct error *err)
{
        int status;

        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return error_errno(err, errno, "cannot wait for the image");
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : read_report(report_fd, err);
}

int root_view_write(const struct root_wish *wish, int image_fd, struct error *err)
{
        cleanup_close int report = -EBADF, child_end = -EBADF;
        int ends[2], r;
        pid_t child, parent = getpid();

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_errno(err, errno, "cannot make a pipe");
        report = ends[0];
        child_end = ends[1];
        child = fork();
        if (child < 0)
                return error_errno(err, errno, "cannot start a process for the image");
        if (child == 0)
                child_main(wish, image_fd, child_end, parent);
        cleanup_close_fd(&child_end);
        r = wait_for(child, report, err);
        if (r >= 0 && (fchown(image_fd, 0, 0) < 0 || fdatasync(image_fd) < 0))
                r = error_errno(err, errno, "cannot keep the image");
        return r;
}
