/* agentsh_inside.c - size and settings, by ioctl or by message. Works inside the filter of agentsh_confine.c. */
#include "shell/agentsh_inside.h"

#include "shell/terminal.h"

#include <sys/socket.h>

static bool send_window(const struct inside *inside, const struct attach_termios *termios, const struct winsize *size)
{
        struct attach_window message = {
                .magic = ATTACH_MAGIC,
                .kind = ATTACH_WINDOW,
                .rows = size->ws_row,
                .columns = size->ws_col,
                .xpixel = size->ws_xpixel,
                .ypixel = size->ws_ypixel,
        };

        if (termios != NULL)
                message.termios = *termios;
        return send(inside->socket, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(message);
}

void inside_set_size(const struct inside *inside, const struct winsize *size)
{
        if (inside->remote)
                (void)send_window(inside, NULL, size);
        else
                (void)ioctl(inside->stream, TIOCSWINSZ, size);
}

bool inside_set_up(const struct inside *inside, const struct attach_termios *termios, const struct winsize *size)
{
        if (inside->remote)
                return send_window(inside, termios, size);
        (void)ioctl(inside->stream, TIOCSWINSZ, size);
        return terminal_apply(inside->stream, termios, NULL) == 0;
}
