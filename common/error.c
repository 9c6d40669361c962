/* error.c - fills struct error. No privilege, no allocation, no output. */
#include "common/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void escape_text(char *ret, unsigned long size, const char *text)
{
        static const char hex[] = "0123456789abcdef";
        unsigned long used = 0;

        if (size == 0)
                return;
        for (; *text != '\0'; text++) {
                unsigned char byte = (unsigned char)*text;

                if (byte >= 0x20 && byte < 0x7f) {
                        if (used + 1 >= size)
                                break;
                        ret[used++] = (char)byte;
                        continue;
                }
                if (used + 4 >= size)
                        break;
                ret[used++] = '\\';
                ret[used++] = 'x';
                ret[used++] = hex[byte >> 4];
                ret[used++] = hex[byte & 15];
        }
        ret[used] = '\0';
}

static int fill(struct error *err, int number, const char *reason, const char *fmt, va_list ap)
        __attribute__((format(printf, 4, 0)));

static int fill(struct error *err, int number, const char *reason, const char *fmt, va_list ap)
{
        char raw[ERROR_TEXT_MAX];
        int length;

        if (number <= 0)
                number = EIO;
        if (err == NULL)
                return -number;
        length = vsnprintf(raw, sizeof(raw), fmt, ap);
        if (length < 0)
                raw[0] = '\0';
        if (reason != NULL && length >= 0 && (size_t)length < sizeof(raw))
                (void)snprintf(raw + length, sizeof(raw) - (size_t)length, ": %s", reason);
        escape_text(err->text, sizeof(err->text), raw);
        err->number = number;
        return -number;
}

int error_errno(struct error *err, int number, const char *fmt, ...)
{
        char buffer[128];
        const char *reason = strerror_r(number > 0 ? number : EIO, buffer, sizeof(buffer));
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = fill(err, number, reason, fmt, ap);
        va_end(ap);
        return r;
}

int error_text(struct error *err, int number, const char *fmt, ...)
{
        va_list ap;
        int r;

        va_start(ap, fmt);
        r = fill(err, number, NULL, fmt, ap);
        va_end(ap);
        return r;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
        char text[ERROR_TEXT_MAX];
        va_list ap;
        int r;

        if (err == NULL)
                return -EIO;
        memcpy(text, err->text, sizeof(text));
        va_start(ap, fmt);
        r = fill(err, err->number, text, fmt, ap);
        va_end(ap);
        return r;
}
