/*
 * terminal.h - terminal settings as the attach protocol carries them, used on both of its ends. No privilege.
 */
#ifndef AGENTSH_SHELL_TERMINAL_H
#define AGENTSH_SHELL_TERMINAL_H

#include "common/attach.h"

#include <stdbool.h>

/* Read the settings of the terminal `fd`. -ENOTTY when it is none. */
must_check int terminal_read(int fd, struct attach_termios *ret, struct error *err);

/* Set them at once, without waiting for output. The line discipline is never changed. */
must_check int terminal_apply(int fd, const struct attach_termios *termios, struct error *err);

/* Throw away what was typed and not yet read. */
void terminal_flush_input(int fd);

/* What a relay needs: no echo, no lines, no signals, no processing of input, and of output only with keep_output. */
void terminal_make_raw(struct attach_termios *termios, bool keep_output);

/* Output is processed elsewhere: let it through as it is. */
void terminal_pass_output(struct attach_termios *termios);

/* Whether the settings have a character that means end of file, and which. */
bool terminal_eof_character(const struct attach_termios *termios, char *ret);

/* Whether fd is the master side of a pty. */
bool terminal_is_master(int fd);

#endif
