/*
 * error.h - what a failed function tells its caller.
 *
 * A function that can fail returns 0 or -errno and takes `struct error *err` as its last parameter. The caller
 * owns the struct (usually on its stack); nothing here allocates, so that it works inside sshd when memory is gone.
 * The text says what could not be done and on what: "cannot mount /proc in the jail: Operation not permitted".
 * Libraries never print: each program's entry point logs the text once.
 */
#ifndef AGENTSH_COMMON_ERROR_H
#define AGENTSH_COMMON_ERROR_H

#include <stdarg.h>

#define ERROR_TEXT_MAX 512

#define must_check __attribute__((warn_unused_result))

struct error {
        int number;                /* positive errno of the cause, 0 while there is no error */
        char text[ERROR_TEXT_MAX]; /* always NUL-terminated; one line, control characters already escaped */
};

#define ERROR_INIT                      \
        {                               \
                .number = 0, .text = "" \
        }

/*
 * Fill *err with the formatted text, then ": " and strerror(number). `err` may be NULL. Returns -number
 * (-EIO when number is not positive), so that a failing function can end with `return error_errno(err, errno, ...)`.
 */
int error_errno(struct error *err, int number, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same without strerror, for failures that the text explains completely (a rule, not a system call). */
int error_text(struct error *err, int number, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "prefix: " before the text that is there. `number` stays. Returns -err->number. */
int error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Copy `text` to `ret` (size bytes, NUL-terminated), control characters and bytes >= 0x7f shown as \xNN. */
void escape_text(char *ret, unsigned long size, const char *text);

#endif
