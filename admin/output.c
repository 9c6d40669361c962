/* output.c - messages, tables and figures. No privilege. */
#include "admin/output.h"

#include "admin/verb.h"
#include "common/cleanup.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#define CELL_MAX 1024

int output_error(const struct error *err)
{
        (void)fflush(stdout);
        (void)fprintf(stderr, "agentshctl: %s\n", err->text);
        return VERB_FAILED;
}

void output_note(const char *fmt, ...)
{
        va_list arguments;

        (void)fflush(stdout);
        (void)fputs("agentshctl: ", stderr);
        va_start(arguments, fmt);
        (void)vfprintf(stderr, fmt, arguments);
        va_end(arguments);
        (void)fputc('\n', stderr);
}

int output_usage(const char *verb, const char *fmt, ...)
{
        va_list arguments;

        (void)fprintf(stderr, "%s: ", verb);
        va_start(arguments, fmt);
        (void)vfprintf(stderr, fmt, arguments);
        va_end(arguments);
        (void)fprintf(stderr, "\nTry '%s --help'.\n", verb);
        return VERB_USAGE;
}

int finish_output(int status)
{
        if (fflush(stdout) == 0 && ferror(stdout) == 0)
                return status;
        output_note("cannot write the output: %s", strerror(errno));
        return VERB_FAILED;
}

int parse_json_option(int argc, char **argv, int min, int max, bool *ret_json)
{
        static const struct option OPTIONS[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
        bool json = false;
        int option;

        while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
                if (option != 'j')
                        return output_usage(argv[0], "cannot understand the options");
                json = true;
        }
        if (argc - optind < min)
                return output_usage(argv[0], "an argument is missing");
        if (argc - optind > max)
                return output_usage(argv[0], "too many arguments");
        *ret_json = json;
        return VERB_OK;
}

void table_begin(struct table *table, const char *const *headings, size_t columns)
{
        *table = (struct table){ .columns = columns };
        for (size_t i = 0; i < columns; i++)
                table_cell(table, headings[i]);
}

static bool table_grow(struct table *table)
{
        size_t allocated = table->allocated == 0 ? 64 : table->allocated * 2;
        char **cell;

        if (table->count < table->allocated)
                return true;
        cell = reallocarray(table->cell, allocated, sizeof(*cell));
        if (cell == NULL)
                return false;
        table->cell = cell;
        table->allocated = allocated;
        return true;
}

void table_cell(struct table *table, const char *text)
{
        char escaped[CELL_MAX];
        char *copy;

        escape_text(escaped, sizeof(escaped), text[0] == '\0' ? "-" : text);
        copy = table_grow(table) ? strdup(escaped) : NULL;
        if (copy == NULL) {
                table->broken = true;
                return;
        }
        table->cell[table->count++] = copy;
}

int table_print(const struct table *table, FILE *stream, struct error *err)
{
        size_t width[TABLE_COLUMNS_MAX] = { 0 };
        size_t complete = table->count - table->count % table->columns;

        if (table->broken)
                return error_errno(err, ENOMEM, "cannot print the table");
        for (size_t i = 0; i < complete; i++) {
                size_t length = strlen(table->cell[i]);

                if (length > width[i % table->columns])
                        width[i % table->columns] = length;
        }
        for (size_t i = 0; i < complete; i++) {
                size_t column = i % table->columns;

                if (column == table->columns - 1)
                        (void)fprintf(stream, "%s\n", table->cell[i]);
                else
                        (void)fprintf(stream, "%-*s  ", (int)width[column], table->cell[i]);
        }
        return 0;
}

void table_done(struct table *table)
{
        for (size_t i = 0; i < table->count; i++)
                free(table->cell[i]);
        free(table->cell);
        *table = (struct table){ .columns = table->columns };
}

void format_size(char *ret, size_t size, uint64_t bytes)
{
        static const char UNITS[] = "BKMGTPE";
        size_t unit = 0;
        uint64_t tenths;

        /* Tenths by integers: the first unit in which the figure is below 1024. */
        for (tenths = bytes; tenths >= 1024 && unit < sizeof(UNITS) - 2; unit++)
                tenths /= 1024;
        if (unit == 0) {
                (void)snprintf(ret, size, "%llu", (unsigned long long)bytes);
                return;
        }
        tenths = (bytes >> (10 * (unit - 1))) * 10 / 1024;
        if (tenths >= 100 || tenths % 10 == 0)
                (void)snprintf(ret, size, "%llu%c", (unsigned long long)(tenths / 10), UNITS[unit]);
        else
                (void)snprintf(ret, size, "%llu.%llu%c", (unsigned long long)(tenths / 10),
                               (unsigned long long)(tenths % 10), UNITS[unit]);
}

void format_seconds(char *ret, size_t size, uint64_t seconds)
{
        unsigned long long minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

        if (days > 0)
                (void)snprintf(ret, size, "%llud%lluh", days, hours % 24);
        else if (hours > 0)
                (void)snprintf(ret, size, "%lluh%02llum", hours, minutes % 60);
        else if (minutes > 0)
                (void)snprintf(ret, size, "%llum%02llus", minutes, (unsigned long long)(seconds % 60));
        else
                (void)snprintf(ret, size, "%llus", (unsigned long long)seconds);
}

void format_time(char *ret, size_t size, int64_t seconds)
{
        time_t when = seconds;
        struct tm broken_down;

        if (localtime_r(&when, &broken_down) == NULL || strftime(ret, size, "%Y-%m-%d %H:%M:%S", &broken_down) == 0)
                (void)snprintf(ret, size, "%lld", (long long)seconds);
}
