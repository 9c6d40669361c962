/*
 * output.h - how agentshctl speaks: messages on stderr, tables and figures on stdout. No privilege.
 */
#ifndef AGENTSH_ADMIN_OUTPUT_H
#define AGENTSH_ADMIN_OUTPUT_H

#include "common/error.h"

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

/* "agentshctl: TEXT" on stderr. Returns VERB_FAILED. */
int output_error(const struct error *err);

/* "agentshctl: FMT" on stderr. */
void output_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "VERB: FMT" and where to find help, on stderr. Returns VERB_USAGE. `verb` is the verb's argv[0]. */
int output_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Flush stdout; VERB_FAILED with a message when not all of it could be written, else `status`. */
int finish_output(int status);

/*
 * For a verb whose only option is --json: parse it, and check that min <= operands <= max. VERB_OK with *ret_json set
 * and optind at the first operand, else VERB_USAGE with the message printed.
 */
must_check int parse_json_option(int argc, char **argv, int min, int max, bool *ret_json);

/* A table of text, printed in columns as wide as their widest cell. Cells are copied, control bytes shown as \xNN. */
struct table {
        size_t columns;
        size_t count; /* of cells */
        size_t allocated;
        char **cell;
        bool broken; /* memory ran out */
};

/* `headings` has `columns` entries, at most TABLE_COLUMNS_MAX. */
void table_begin(struct table *table, const char *const *headings, size_t columns);
void table_cell(struct table *table, const char *text);
/* Print all complete rows. -ENOMEM when a cell was lost. */
must_check int table_print(const struct table *table, FILE *stream, struct error *err);
void table_done(struct table *table);

#define cleanup_table __attribute__((cleanup(table_done)))

/* "1.5G", "64M", "512"; at least 16 bytes. */
void format_size(char *ret, size_t size, uint64_t bytes);

/* "2d3h", "1h02m", "3m05s", "12s"; at least 24 bytes. */
void format_seconds(char *ret, size_t size, uint64_t seconds);

/* "2026-11-23 14:05:09" in local time; at least 32 bytes. */
void format_time(char *ret, size_t size, int64_t seconds);

#endif
