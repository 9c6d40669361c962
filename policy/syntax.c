/* syntax.c - reads a policy file with iniparser and compares. None of its typed getters is used: they fail open. */
#include "policy/syntax.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#if __has_include(<iniparser/iniparser.h>)
#include <iniparser/iniparser.h>
#else
#include <iniparser.h>
#endif

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static void free_dictionary(dictionary **d)
{
        if (*d != NULL)
                iniparser_freedict(*d);
}

static int say_nothing(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The scan has found, with its line, whatever iniparser has to say. */
static int say_nothing(const char *fmt, ...)
{
        (void)fmt;
        return 0;
}

static int make_copy(const char *text, size_t size, int *ret_fd, struct error *err)
{
        unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        cleanup_close int fd = memfd_create("policy", flags | MFD_NOEXEC_SEAL);
        int r;

        /* Before Linux 6.3 the flag is unknown; since then vm.memfd_noexec may demand it. */
        if (fd < 0 && errno == EINVAL)
                fd = memfd_create("policy", flags);
        if (fd < 0)
                return error_errno(err, errno, "cannot make a memory file");
        r = fd_write_all(fd, text, size, "a memory file", err);
        if (r < 0)
                return r;
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                return error_errno(err, errno, "cannot seal a memory file");
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int compare_entry(const dictionary *d, const struct scan_entry *entry, struct error *err)
{
        char name[2 * SCAN_NAME_MAX + 2];
        const char *value;

        if (entry->key == NULL) {
                if (iniparser_find_entry(d, entry->section) == 1)
                        return 0;
                return error_text(err, EBADMSG, "iniparser does not find [%s]", entry->section);
        }
        (void)snprintf(name, sizeof(name), "%s:%s", entry->section, entry->key);
        value = iniparser_getstring(d, name, NULL);
        if (value == NULL)
                return error_text(err, EBADMSG, "iniparser does not find [%s] %s", entry->section, entry->key);
        if (strcmp(value, entry->value) != 0)
                return error_text(err, EBADMSG, "iniparser reads [%s] %s as \"%s\", not \"%s\"", entry->section,
                                  entry->key, value, entry->value);
        return 0;
}

int syntax_confirm(const char *text, size_t size, const struct scan_document *document, struct error *err)
{
        __attribute__((cleanup(free_dictionary))) dictionary *d = NULL;
        cleanup_close int fd = -EBADF;
        char path[32];
        int r = make_copy(text, size, &fd, err);

        if (r < 0)
                return r;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        iniparser_set_error_callback(say_nothing);
        d = iniparser_load(path);
        if (d == NULL)
                return error_text(err, EBADMSG, "iniparser cannot read the file (is /proc mounted?)");
        if ((size_t)d->n != document->count)
                return error_text(err, EBADMSG, "iniparser finds %zu sections and keys, not %zu", (size_t)d->n,
                                  document->count);
        for (size_t i = 0; i < document->count; i++) {
                r = compare_entry(d, &document->entries[i], err);
                if (r < 0)
                        return r;
        }
        return 0;
}
