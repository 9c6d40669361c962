/*
 * agentsh_tty.h - the terminal outside: raw while keys are relayed, never touched from the background. No privilege.
 */
#ifndef AGENTSH_SHELL_AGENTSH_TTY_H
#define AGENTSH_SHELL_AGENTSH_TTY_H

#include "common/attach.h"
#include "shell/agentsh_inside.h"
#include "shell/agentsh_stdio.h"

#include <stdbool.h>

struct tty {
        int in;          /* keys come from here, or -1; not owned */
        int out;         /* output goes here, or -1; not owned */
        int parent_stat; /* /proc/PPID/stat, or -1; owned, lives until the program ends */
        unsigned device; /* of `in`, as /proc/PID/stat writes it */
        bool shared;     /* others write to it: its processing of output stays on */
        bool carried;    /* the pty inside has our terminal's settings */
        bool raw;
        struct attach_termios saved; /* as they were before ours */
        struct attach_termios ours;
};

/*
 * Looks at the terminals of `stdio`; changes nothing. `saved` is all zero when there is none, or when its settings are
 * another's at the moment because we are in the background.
 */
must_check int tty_open(const struct stdio *stdio, struct tty *ret, struct error *err);

/*
 * Whether the terminal is ours to read. Under `su -c` it is nobody's controlling terminal: there the parent, which
 * belongs to the job outside, is asked. When nobody knows: yes.
 */
bool tty_is_foreground(const struct tty *tty);

/*
 * Make the terminal raw if there are keys to relay and we are in the foreground; the first time, carry its settings and
 * size over to the pty, should it have come without. False: not now.
 */
bool tty_enter_raw(struct tty *tty, const struct inside *inside);

/* Undo it, but not from the background, where the settings are somebody else's by now. Idempotent. */
void tty_restore(struct tty *tty);

/* We were continued, perhaps after a stop that nobody told us of: raw again, if it is not and may be. */
void tty_resume(struct tty *tty, const struct inside *inside);

/* Carry the window's size over to the pty. */
void tty_copy_size(const struct tty *tty, const struct inside *inside);

/* Whether the terminal was hung up. */
bool tty_is_gone(const struct tty *tty);

#endif
