/* agentsh_tty.c - the terminal outside. Runs as the agent, partly inside the seccomp filter of agentsh_confine.c. */
#include "shell/agentsh_tty.h"

#include "shell/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The kernel's new_encode_dev, in which field 7 of /proc/PID/stat is written. */
static unsigned encode_device(dev_t device)
{
        return (minor(device) & 0xff) | (major(device) << 8) | ((minor(device) & ~0xffU) << 12);
}

int tty_open(const struct stdio *stdio, struct tty *ret, struct error *err)
{
        struct tty tty = {
                .in = stdio->in, .out = stdio->out, .parent_stat = -1, .shared = stdio_output_is_shared(stdio)
        };
        struct stat st;
        char name[32];
        int r = 0;

        if (tty.in >= 0) {
                if (fstat(tty.in, &st) < 0)
                        return error_errno(err, errno, "cannot stat the terminal");
                tty.device = encode_device(st.st_rdev);
                (void)snprintf(name, sizeof(name), "/proc/%d/stat", (int)getppid());
                tty.parent_stat = open(name, O_RDONLY | O_CLOEXEC);
        }
        tty.carried = tty.in < 0 || tty_is_foreground(&tty);
        if (tty.out >= 0 && tty.carried)
                r = terminal_read(tty.in >= 0 ? tty.in : tty.out, &tty.saved, err);
        if (r < 0)
                return r;
        *ret = tty;
        return 0;
}

/* Fields 5 (process group), 7 (terminal) and 8 (its foreground group); behind the name, which may hold anything. */
static bool parent_is_background(const struct tty *tty)
{
        char text[512], *at;
        ssize_t got = tty->parent_stat >= 0 ? pread(tty->parent_stat, text, sizeof(text) - 1, 0) : -1;
        long fields[9] = { 0 };

        if (got <= 0)
                return false;
        text[got] = '\0';
        at = strrchr(text, ')');
        if (at == NULL || at[1] != ' ' || at[2] == '\0')
                return false;
        at += 3;
        for (size_t field = 4; field <= 8; field++)
                fields[field] = strtol(at, &at, 10);
        return (unsigned)fields[7] == tty->device && fields[8] > 0 && fields[8] != fields[5];
}

bool tty_is_foreground(const struct tty *tty)
{
        pid_t group;

        if (ioctl(tty->in, TIOCGPGRP, &group) == 0)
                return group == getpgrp();
        return errno == ENOTTY && !parent_is_background(tty);
}

static void carry_over(struct tty *tty, const struct inside *inside)
{
        struct attach_termios settings = tty->saved;
        struct winsize size = { 0 };

        if (tty->shared)
                terminal_pass_output(&settings);
        (void)ioctl(tty->in, TIOCGWINSZ, &size);
        tty->carried = inside_set_up(inside, &settings, &size);
}

bool tty_enter_raw(struct tty *tty, const struct inside *inside)
{
        if (tty->in < 0 || tty->raw || !tty_is_foreground(tty) || terminal_read(tty->in, &tty->saved, NULL) < 0)
                return tty->raw;
        tty->ours = tty->saved;
        terminal_make_raw(&tty->ours, tty->shared);
        if (!tty->carried)
                carry_over(tty, inside);
        tty->raw = terminal_apply(tty->in, &tty->ours, NULL) == 0;
        return tty->raw;
}

void tty_restore(struct tty *tty)
{
        if (!tty->raw)
                return;
        tty->raw = false;
        if (!tty_is_foreground(tty))
                return;
        /* What the terminal answered to a query from inside must not reach the shell outside as typed text. */
        terminal_flush_input(tty->in);
        if (terminal_apply(tty->in, &tty->saved, NULL) < 0)
                return; /* hung up: nobody is left to see it */
}

void tty_resume(struct tty *tty, const struct inside *inside)
{
        struct attach_termios now;

        if (tty->in < 0)
                return;
        /* After a stop, the settings are the shell's; without one, taking ours for the original would lose that. */
        if (tty->raw && (!tty_is_foreground(tty) || terminal_read(tty->in, &now, NULL) < 0 ||
                         memcmp(&now, &tty->ours, sizeof(now)) != 0))
                tty->raw = false;
        (void)tty_enter_raw(tty, inside);
}

void tty_copy_size(const struct tty *tty, const struct inside *inside)
{
        struct winsize size;

        if (ioctl(tty->in >= 0 ? tty->in : tty->out, TIOCGWINSZ, &size) == 0)
                inside_set_size(inside, &size);
}

bool tty_is_gone(const struct tty *tty)
{
        struct attach_termios termios;

        return terminal_read(tty->in >= 0 ? tty->in : tty->out, &termios, NULL) < 0;
}
