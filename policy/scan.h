/*
 * scan.h - the strict reader of policy files: bytes to sections, keys and values, with line numbers.
 *
 * It accepts only what every version of iniparser reads in one way: lower-case names, bare one-line values, comments on
 * lines of their own, nothing given twice. syntax.h then compares the two. Pure but for memory.
 */
#ifndef AGENTSH_POLICY_SCAN_H
#define AGENTSH_POLICY_SCAN_H

#include "policy/report.h"

#include <stddef.h>

#define SCAN_ENTRIES_MAX 512  /* sections and keys of one file */
#define SCAN_LINE_MAX    1000 /* bytes; iniparser has 1024 */
#define SCAN_NAME_MAX    64   /* bytes of a section or key */

/* One section (key and value are NULL) or one key. The texts lie in the document. */
struct scan_entry {
        const char *section, *key, *value;
        unsigned line;
};

struct scan_document {
        char *text; /* owned */
        size_t count;
        struct scan_entry *entries; /* owned */
};

#define SCAN_DOCUMENT_INIT                                \
        {                                                 \
                .text = NULL, .count = 0, .entries = NULL \
        }

/*
 * Read `size` bytes at `text` into *ret. Everything that is wrong goes into `report`; *ret then holds what was right,
 * so that its names and values can be checked too. Only a lack of memory is an error. scan_done frees *ret.
 */
must_check int scan_text(const char *text, size_t size, const char *file, struct scan_document *ret,
                         struct policy_report *report, struct error *err);

void scan_done(struct scan_document *document);

#define cleanup_scan __attribute__((cleanup(scan_done)))

#endif
