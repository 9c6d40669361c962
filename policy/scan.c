/* scan.c - the strict reader of policy files. Pure but for memory; the input is root's, and still not trusted. */
#include "policy/scan.h"

#include "common/cleanup.h"

#include <stdbool.h>
#include <string.h>

struct scanner {
        struct scan_document document;
        struct policy_report *report;
        struct place place;
        const char *section; /* NULL: none yet, or a bad one */
        bool any_section, saw_return, full;
};

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

static bool is_lower(char c)
{
        return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
        return c >= 'A' && c <= 'Z';
}

static bool is_name_byte(char c)
{
        return is_lower(c) || (c >= '0' && c <= '9') || c == '_';
}

static char *strip(char *text)
{
        char *end = text + strlen(text);

        while (is_blank(*text))
                text++;
        while (end > text && is_blank(end[-1]))
                end--;
        *end = '\0';
        return text;
}

static bool has_upper(const char *text)
{
        while (*text != '\0')
                if (is_upper(*text++))
                        return true;
        return false;
}

static bool is_key_name(const char *text)
{
        size_t length = 0;

        while (is_name_byte(text[length]))
                length++;
        return length > 0 && length <= SCAN_NAME_MAX && text[length] == '\0';
}

/* One name, or two with one blank between, the second of which may have dots and dashes: "limits", "bind src-1". */
static bool is_section_name(const char *text)
{
        const char *at = text;

        if (!is_lower(*at) || strlen(text) > SCAN_NAME_MAX)
                return false;
        while (is_name_byte(*at))
                at++;
        if (*at == ' ') {
                at++;
                if (!is_name_byte(*at))
                        return false;
                while (is_name_byte(*at) || *at == '-' || *at == '.')
                        at++;
        }
        return *at == '\0';
}

static void add_entry(struct scanner *scanner, const char *section, const char *key, const char *value)
{
        struct scan_document *document = &scanner->document;

        if (document->count == SCAN_ENTRIES_MAX) {
                if (!scanner->full)
                        report_error(scanner->report, scanner->place, "more than %d sections and keys",
                                     SCAN_ENTRIES_MAX);
                scanner->full = true;
                return;
        }
        document->entries[document->count++] = (struct scan_entry){
                .section = section, .key = key, .value = value, .line = scanner->place.line
        };
}

/* Line of the section (key NULL) or key if it is there already, else 0. */
static unsigned find_line(const struct scan_document *document, const char *section, const char *key)
{
        for (size_t i = 0; i < document->count; i++) {
                const struct scan_entry *entry = &document->entries[i];

                if ((entry->key == NULL) != (key == NULL) || strcmp(entry->section, section) != 0)
                        continue;
                if (key == NULL || strcmp(entry->key, key) == 0)
                        return entry->line;
        }
        return 0;
}

static void scan_section(struct scanner *scanner, char *text)
{
        char *end = strchr(text, ']');
        unsigned first;

        scanner->any_section = true;
        scanner->section = NULL;
        if (end == NULL) {
                report_error(scanner->report, scanner->place, "\"%s\": the \"]\" of a section is missing", text);
                return;
        }
        if (end[1] != '\0') {
                report_error(scanner->report, scanner->place, "\"%s\": text behind the \"]\" of a section", text);
                return;
        }
        *end = '\0';
        text = strip(text + 1);
        if (!is_section_name(text)) {
                report_error(scanner->report, scanner->place, "[%s]: not a section name%s", text,
                             has_upper(text) ? " (names are lower case)" : "");
                return;
        }
        first = find_line(&scanner->document, text, NULL);
        if (first != 0)
                report_error(scanner->report, scanner->place, "[%s]: given twice (first in line %u)", text, first);
        else
                add_entry(scanner, text, NULL, NULL);
        scanner->section = text;
}

/* What iniparser would cut off or take away without a word. */
static bool check_value(struct scanner *scanner, const char *key, const char *value)
{
        const char *bad = strpbrk(value, "#;\"'");

        if (bad == NULL)
                return true;
        if (*bad == '#' || *bad == ';')
                report_error(scanner->report, scanner->place,
                             "[%s] %s: \"%c\" in a value (a comment goes on a line of its own)", scanner->section, key,
                             *bad);
        else
                report_error(scanner->report, scanner->place, "[%s] %s: a quote in a value (values are written bare)",
                             scanner->section, key);
        return false;
}

static void scan_key(struct scanner *scanner, char *text)
{
        char *equals = strchr(text, '='), *value;
        unsigned first;

        if (equals == NULL) {
                report_error(scanner->report, scanner->place, "\"%s\": neither [SECTION] nor KEY = VALUE nor a comment",
                             text);
                return;
        }
        if (!scanner->any_section) {
                report_error(scanner->report, scanner->place, "\"%s\": a key before any section", text);
                return;
        }
        if (scanner->section == NULL)
                return;
        *equals = '\0';
        value = strip(equals + 1);
        text = strip(text);
        if (!is_key_name(text)) {
                report_error(scanner->report, scanner->place, "[%s] %s: not a key name%s", scanner->section, text,
                             has_upper(text) ? " (names are lower case)" : "");
                return;
        }
        if (!check_value(scanner, text, value))
                return;
        first = find_line(&scanner->document, scanner->section, text);
        if (first != 0)
                report_error(scanner->report, scanner->place, "[%s] %s: given twice (first in line %u)",
                             scanner->section, text, first);
        else
                add_entry(scanner, scanner->section, text, value);
}

/* Bytes that have no place in a line. False when the line is not to be read further. */
static bool check_bytes(struct scanner *scanner, const char *line, size_t length, bool comment)
{
        if (length > SCAN_LINE_MAX) {
                report_error(scanner->report, scanner->place, "the line is longer than %d bytes", SCAN_LINE_MAX);
                return false;
        }
        for (size_t i = 0; i < length; i++) {
                unsigned char byte = (unsigned char)line[i];

                if (byte == '\r') {
                        if (!scanner->saw_return)
                                report_error(scanner->report, scanner->place,
                                             "a carriage return (lines end in a line feed alone)");
                        scanner->saw_return = true;
                        return false;
                }
                if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
                        report_error(scanner->report, scanner->place, "a control character (byte 0x%02x)", byte);
                        return false;
                }
                if (byte >= 0x80 && !comment) {
                        report_error(scanner->report, scanner->place,
                                     "a byte beyond ASCII (0x%02x) outside of a comment", byte);
                        return false;
                }
        }
        return true;
}

static void scan_line(struct scanner *scanner, char *line, size_t length)
{
        size_t indent = 0;
        bool comment;
        char *text;

        while (indent < length && is_blank(line[indent]))
                indent++;
        comment = indent < length && (line[indent] == '#' || line[indent] == ';');
        if (!check_bytes(scanner, line, length, comment)) {
                /* Keys below a section that could not be read belong to no section that is known. */
                if (indent < length && line[indent] == '[') {
                        scanner->any_section = true;
                        scanner->section = NULL;
                }
                return;
        }
        line[length] = '\0';
        text = strip(line);
        if (*text == '\0')
                return;
        /* iniparser joins the next line, to a comment too. */
        if (text[strlen(text) - 1] == '\\')
                report_error(scanner->report, scanner->place, "a backslash at the end (lines cannot be continued)");
        else if (comment)
                return;
        else if (*text == '[')
                scan_section(scanner, text);
        else
                scan_key(scanner, text);
}

static void scan_lines(struct scanner *scanner, size_t size)
{
        char *line = scanner->document.text, *end = line + size;

        if (size >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
                report_error(scanner->report, (struct place){ .file = scanner->place.file, .line = 1 },
                             "a byte order mark (save the file without one)");
                line += 3;
        }
        while (line < end) {
                char *feed = memchr(line, '\n', (size_t)(end - line));
                char *next = feed != NULL ? feed + 1 : end;

                scanner->place.line++;
                scan_line(scanner, line, (size_t)((feed != NULL ? feed : end) - line));
                line = next;
        }
}

int scan_text(const char *text, size_t size, const char *file, struct scan_document *ret, struct policy_report *report,
              struct error *err)
{
        struct scanner scanner = { .document = SCAN_DOCUMENT_INIT, .report = report, .place = { .file = file } };
        cleanup_scan struct scan_document document = SCAN_DOCUMENT_INIT;

        document.text = malloc(size + 1);
        document.entries = calloc(SCAN_ENTRIES_MAX, sizeof(*document.entries));
        if (document.text == NULL || document.entries == NULL)
                return error_errno(err, ENOMEM, "cannot read %s", file);
        if (size > 0)
                memcpy(document.text, text, size);
        document.text[size] = '\0';
        scanner.document = document;
        scan_lines(&scanner, size);
        document = (struct scan_document)SCAN_DOCUMENT_INIT;
        *ret = scanner.document;
        return 0;
}

void scan_done(struct scan_document *document)
{
        free(document->text);
        free(document->entries);
        *document = (struct scan_document)SCAN_DOCUMENT_INIT;
}
