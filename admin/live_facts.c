/* live_facts.c - parses what agentsh-probe printed. Pure. */
#include "admin/live_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void take_line(struct live_facts *facts, char *line, const char **section)
{
        char *separator = strchr(line, '=');

        if (separator == NULL) {
                if (line[strspn(line, " \t\r")] != '\0')
                        escape_text(facts->noise, sizeof(facts->noise), line);
                return;
        }
        *separator = '\0';
        if (strcmp(line, "section") == 0) {
                *section = separator + 1;
                facts->complete = strcmp(*section, "end") == 0;
                return;
        }
        for (char *at = separator + 1; *at != '\0'; at++)
                *at = *at == '\t' ? ' ' : *at;
        if (facts->count < LIVE_FACTS_MAX)
                facts->fact[facts->count++] = (struct live_fact){ *section, line, separator + 1 };
}

int live_facts_parse(char *text, struct live_facts *ret, struct error *err)
{
        const char *section = "";
        char *rest = text, *line;

        *ret = (struct live_facts){ .text = text, .fact = calloc(LIVE_FACTS_MAX, sizeof(struct live_fact)) };
        if (ret->fact == NULL)
                return error_errno(err, ENOMEM, "cannot read what the probe printed");
        while ((line = strsep(&rest, "\n")) != NULL)
                take_line(ret, line, &section);
        return 0;
}

void live_facts_done(struct live_facts *facts)
{
        free(facts->text);
        free(facts->fact);
        *facts = (struct live_facts){ 0 };
}

size_t live_facts_count(const struct live_facts *facts, const char *key)
{
        size_t count = 0;

        for (size_t i = 0; i < facts->count; i++)
                count += strcmp(facts->fact[i].key, key) == 0;
        return count;
}

const char *live_facts_one(const struct live_facts *facts, const char *key)
{
        const char *value = NULL;

        for (size_t i = 0; i < facts->count; i++) {
                if (strcmp(facts->fact[i].key, key) != 0 || strcmp(facts->fact[i].section, LIVE_ATTEMPTS) == 0)
                        continue;
                if (value != NULL)
                        return NULL;
                value = facts->fact[i].value;
        }
        return value;
}
