/* init_pty.c - makes a pty inside. */
#include "shell/init_pty.h"

#include "common/cleanup.h"
#include "shell/terminal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

static int set_up(int master, int slave, const struct attach_request *request, struct error *err)
{
        const struct winsize size = {
                .ws_row = request->rows,
                .ws_col = request->columns,
                .ws_xpixel = request->xpixel,
                .ws_ypixel = request->ypixel,
        };

        if (ioctl(master, TIOCSWINSZ, &size) < 0)
                return error_errno(err, errno, "cannot set the size of a terminal");
        /* No terminal has no character size: all zero stands for the defaults. */
        if (request->termios.cflag == 0)
                return 0;
        return terminal_apply(slave, &request->termios, err);
}

int init_pty_open(const struct attach_request *request, struct init_pty *ret, struct error *err)
{
        cleanup_close int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -EBADF;
        int unlocked = 0, r;
        unsigned number;

        if (master < 0)
                return error_errno(err, errno, "cannot open /dev/ptmx");
        if (ioctl(master, TIOCSPTLCK, &unlocked) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
                return error_errno(err, errno, "cannot unlock a terminal");
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0)
                return error_errno(err, errno, "cannot open a terminal");
        r = set_up(master, slave, request, err);
        if (r < 0)
                return r;
        (void)snprintf(ret->ssh_tty, sizeof(ret->ssh_tty), "SSH_TTY=/dev/pts/%u", number);
        ret->master = TAKE_FD(master);
        ret->slave = TAKE_FD(slave);
        return 0;
}

void init_pty_done(struct init_pty *pty)
{
        cleanup_close_fd(&pty->master);
        cleanup_close_fd(&pty->slave);
}
