/* terminal.c - terminal settings by ioctl: the kernel's struct termios2, which glibc does not offer. */
#include "shell/terminal.h"

#include <asm/termbits.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

_Static_assert(NCCS == sizeof(((struct attach_termios *)0)->cc), "the control characters have their kernel's number");

int terminal_read(int fd, struct attach_termios *ret, struct error *err)
{
        struct termios2 kernel;

        if (ioctl(fd, TCGETS2, &kernel) < 0)
                return error_errno(err, errno, "cannot read the settings of a terminal");
        *ret = (struct attach_termios){
                .iflag = kernel.c_iflag,
                .oflag = kernel.c_oflag,
                .cflag = kernel.c_cflag,
                .lflag = kernel.c_lflag,
                .ispeed = kernel.c_ispeed,
                .ospeed = kernel.c_ospeed,
        };
        memcpy(ret->cc, kernel.c_cc, sizeof(ret->cc));
        return 0;
}

int terminal_apply(int fd, const struct attach_termios *termios, struct error *err)
{
        struct termios2 kernel = {
                .c_iflag = termios->iflag,
                .c_oflag = termios->oflag,
                .c_cflag = termios->cflag,
                .c_lflag = termios->lflag,
                .c_ispeed = termios->ispeed,
                .c_ospeed = termios->ospeed,
        };

        memcpy(kernel.c_cc, termios->cc, sizeof(kernel.c_cc));
        if (ioctl(fd, TCSETS2, &kernel) < 0)
                return error_errno(err, errno, "cannot change the settings of a terminal");
        return 0;
}

void terminal_flush_input(int fd)
{
        (void)ioctl(fd, TCFLSH, TCIFLUSH);
}

void terminal_make_raw(struct attach_termios *termios, bool keep_output)
{
        termios->iflag &= ~(uint32_t)(IGNBRK | BRKINT | IGNPAR | PARMRK | INPCK | ISTRIP | INLCR | IGNCR | ICRNL |
                                      IUCLC | IXON | IXANY | IXOFF);
        if (!keep_output)
                terminal_pass_output(termios);
        termios->lflag &= ~(uint32_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
        termios->cflag &= ~(uint32_t)(CSIZE | PARENB);
        termios->cflag |= CS8;
        termios->cc[VMIN] = 1;
        termios->cc[VTIME] = 0;
}

void terminal_pass_output(struct attach_termios *termios)
{
        termios->oflag &= ~(uint32_t)OPOST;
}

bool terminal_eof_character(const struct attach_termios *termios, char *ret)
{
        if ((termios->lflag & ICANON) == 0 || termios->cc[VEOF] == 0)
                return false;
        *ret = (char)termios->cc[VEOF];
        return true;
}

bool terminal_is_master(int fd)
{
        struct stat st;
        unsigned number;

        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && ioctl(fd, TIOCGPTN, &number) == 0;
}
