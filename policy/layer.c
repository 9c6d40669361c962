/* layer.c - one policy file: read it, and put its values over those of the files before it. Pure but for memory. */
#include "policy/load.h"

#include "policy/syntax.h"
#include "policy/value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void note_template(struct layer *layer)
{
        for (size_t i = 0; i < layer->document.count; i++) {
                const struct scan_entry *entry = &layer->document.entries[i];

                if (entry->key == NULL || strcmp(entry->section, "account") != 0 || strcmp(entry->key, "inherits") != 0)
                        continue;
                /* A bad name is reported when the layer is applied. */
                if (parse_account_name(entry->value, NULL) < 0)
                        continue;
                (void)snprintf(layer->inherits, sizeof(layer->inherits), "%s", entry->value);
                layer->inherits_line = entry->line;
        }
}

int layer_read(struct layer *layer, const char *text, size_t size, struct policy_report *report, struct error *err)
{
        size_t errors = report->errors;
        int r = scan_text(text, size, layer->name, &layer->document, report, err);

        if (r < 0)
                return r;
        if (report->errors == errors) {
                r = syntax_confirm(text, size, &layer->document, err);
                if (r == -EBADMSG)
                        report_error(report, (struct place){ .file = layer->name }, "%s", err->text);
                else if (r < 0)
                        return r;
        }
        note_template(layer);
        return 0;
}

static void apply_section(struct load *load, struct place place, const char *section)
{
        struct suggestion nearest = SUGGESTION(section);
        enum section_state state = table_find_section(section);

        if (state == SECTION_LATER)
                report_error(load->report, place, "[%s]: not supported by this version", section);
        if (state != SECTION_UNKNOWN)
                return;
        table_suggest_section(&nearest);
        if (nearest.nearest != NULL)
                report_error(load->report, place, "[%s]: no such section (did you mean [%s]?)", section,
                             nearest.nearest);
        else
                report_error(load->report, place, "[%s]: no such section", section);
}

static void report_unknown_key(struct load *load, struct place place, const struct scan_entry *entry)
{
        struct suggestion nearest = SUGGESTION(entry->key);
        const char *elsewhere = table_section_of(entry->key);

        table_suggest_key(entry->section, &nearest);
        if (elsewhere != NULL)
                report_error(load->report, place, "[%s] %s: no such key (it belongs to [%s])", entry->section,
                             entry->key, elsewhere);
        else if (nearest.nearest != NULL)
                report_error(load->report, place, "[%s] %s: no such key (did you mean %s?)", entry->section, entry->key,
                             nearest.nearest);
        else
                report_error(load->report, place, "[%s] %s: no such key", entry->section, entry->key);
}

static void apply_key(struct load *load, const struct layer *layer, const struct scan_entry *entry)
{
        struct place place = { .file = layer->name, .line = entry->line };
        size_t index = table_find(entry->section, entry->key);
        struct error err = ERROR_INIT;

        if (index == POLICY_KEYS) {
                report_unknown_key(load, place, entry);
                return;
        }
        if (index == KEY_account_inherits && layer->is_global) {
                report_error(load->report, place, "[account] inherits: belongs to an account's file or a template");
                return;
        }
        if (value_parse(table_key(index), entry->value, load->policy, &err) < 0) {
                report_error(load->report, place, "[%s] %s: %s", entry->section, entry->key, err.text);
                return;
        }
        (void)snprintf(load->origins[index].file, sizeof(load->origins[index].file), "%s", layer->name);
        load->origins[index].line = entry->line;
}

void layer_apply(struct load *load, const struct layer *layer)
{
        for (size_t i = 0; i < layer->document.count; i++) {
                const struct scan_entry *entry = &layer->document.entries[i];
                struct place place = { .file = layer->name, .line = entry->line };

                if (entry->key == NULL)
                        apply_section(load, place, entry->section);
                else if (table_find_section(entry->section) == SECTION_KNOWN)
                        apply_key(load, layer, entry);
        }
}
