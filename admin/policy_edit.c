/* policy_edit.c - see policy_edit.h. Lines are found by the loader's own scanner. */
#include "admin/policy_edit.h"

#include "common/cleanup.h"
#include "policy/scan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where the new line goes: `line` counts from 1; 0 is a new section at the end. */
struct spot {
        unsigned line;
        bool replace;
};

static struct spot find_spot(const struct scan_document *document, const char *section, const char *key)
{
        struct spot found = { .line = 0, .replace = false };

        for (size_t i = 0; i < document->count; i++) {
                const struct scan_entry *entry = &document->entries[i];

                if (strcmp(entry->section, section) != 0)
                        continue;
                if (entry->key != NULL && strcmp(entry->key, key) == 0)
                        return (struct spot){ .line = entry->line, .replace = true };
                if (entry->key == NULL)
                        found.line = entry->line;
        }
        return found;
}

/* The byte at which line `line` begins (from 1), or the text's end. */
static size_t find_line(const char *text, size_t size, unsigned line)
{
        size_t at = 0;

        while (--line > 0 && at < size) {
                const char *end = memchr(text + at, '\n', size - at);

                at = end == NULL ? size : (size_t)(end - text) + 1;
        }
        return at;
}

static int scan(const char *text, size_t size, const char *section, const char *key, struct spot *ret,
                struct error *err)
{
        cleanup_free struct policy_report *report = calloc(1, sizeof(*report));
        cleanup_scan struct scan_document document = SCAN_DOCUMENT_INIT;
        int r;

        if (report == NULL)
                return error_errno(err, ENOMEM, "cannot read the policy");
        r = scan_text(text, size, "policy", &document, report, err);
        if (r < 0)
                return r;
        if (report->errors > 0)
                return error_text(err, EINVAL, "%s", report->issues[0].text);
        *ret = find_spot(&document, section, key);
        return 0;
}

int policy_edit_set(const char *text, size_t size, const char *section, const char *key, const char *value,
                    char **ret_text, struct error *err)
{
        struct spot place = { .line = 0, .replace = false };
        size_t before, after;
        bool complete;
        char *edited;
        int r = scan(text, size, section, key, &place, err);

        if (r < 0)
                return r;
        before = place.line == 0 ? size : find_line(text, size, place.line + !place.replace);
        after = place.replace ? find_line(text, size, place.line + 1) : before;
        complete = before == 0 || text[before - 1] == '\n';
        if (asprintf(&edited, "%.*s%s%s%s%s%s = %s\n%s", (int)before, text, complete ? "" : "\n",
                     place.line == 0 ? "\n[" : "", place.line == 0 ? section : "", place.line == 0 ? "]\n" : "", key,
                     value, text + after) < 0)
                return error_errno(err, ENOMEM, "cannot change the policy");
        *ret_text = edited;
        return 0;
}
