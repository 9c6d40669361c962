/*
 * tables.c - run by the build: writes what is generated from the key table. Never installed.
 *
 *   policy-tables man VERSION < agentsh.ini.5.in    the page, with @VERSION@, @KEYS@ and @LATER@ filled in
 *   policy-tables dictionary                        the words for libFuzzer
 */
#include "policy/table.h"

#include <stdio.h>
#include <string.h>

/* roff takes '-' for a hyphen and a leading '.' for a request. */
static void put_roff(const char *text)
{
        for (; *text != '\0'; text++) {
                if (*text == '-')
                        (void)fputs("\\-", stdout);
                else if (*text == '\\')
                        (void)fputs("\\e", stdout);
                else
                        (void)putchar(*text);
        }
}

static void put_later_words(const struct key_word *words)
{
        const char *lead = "\nKnown, but not supported by this version: ";

        for (; words != NULL && words->word != NULL; words++) {
                if (words->supported)
                        continue;
                (void)fputs(lead, stdout);
                put_roff(words->word);
                lead = ", ";
        }
        if (*lead == ',')
                (void)putchar('.');
}

static void put_key(const struct policy_key *key, const struct policy_key_info *info)
{
        (void)printf(".TP\n.BR ");
        put_roff(key->name);
        (void)printf(" \" = \" \"\\fI");
        put_roff(info->type);
        (void)printf("\\fR\"\n");
        put_roff(key->help);
        if (info->range[0] != '\0') {
                (void)printf("%s", key->words != NULL ? "\nValues: " : "\nRange: ");
                put_roff(info->range);
                (void)putchar('.');
        }
        put_later_words(key->words);
        (void)printf("\nDefault: ");
        if (key->fallback[0] != '\0')
                (void)printf("\\fB");
        put_roff(key->fallback[0] != '\0' ? key->fallback : "none");
        (void)printf("\\fR.\n");
}

static void put_keys(void)
{
        const char *section = "";

        for (size_t i = 0; i < policy_key_count(); i++) {
                const struct policy_key *key = table_key(i);
                struct policy_key_info info;

                policy_key_describe(i, &info);
                if (!info.supported)
                        continue;
                if (strcmp(section, key->section) != 0)
                        (void)printf(".SS [%s]\n", key->section);
                section = key->section;
                put_key(key, &info);
        }
}

static void put_later(void)
{
        for (size_t i = 0; i < policy_key_count(); i++) {
                const struct policy_key *key = table_key(i);

                if (key->type != TYPE_LATER)
                        continue;
                (void)printf(".TP\n.B [%s%s] ", key->section, strcmp(key->section, "bind") == 0 ? " NAME" : "");
                put_roff(key->name);
                (void)putchar('\n');
                put_roff(key->help);
                (void)putchar('\n');
        }
}

static void put_line(const char *line, const char *version)
{
        const char *mark = strstr(line, "@VERSION@");

        if (strcmp(line, "@KEYS@\n") == 0)
                put_keys();
        else if (strcmp(line, "@LATER@\n") == 0)
                put_later();
        else if (mark != NULL)
                (void)printf("%.*s%s%s", (int)(mark - line), line, version, mark + strlen("@VERSION@"));
        else
                (void)fputs(line, stdout);
}

static void put_dictionary(void)
{
        const char *section = "";

        for (size_t i = 0; i < policy_key_count(); i++) {
                const struct policy_key *key = table_key(i);

                if (strcmp(section, key->section) != 0)
                        (void)printf("\"[%s]\\x0a\"\n", key->section);
                section = key->section;
                (void)printf("\"%s = \"\n", key->name);
                if (key->fallback[0] != '\0')
                        (void)printf("\"%s\\x0a\"\n", key->fallback);
                if (key->min != NULL)
                        (void)printf("\"%s\\x0a\"\n\"%s\\x0a\"\n", key->min, key->max);
                for (const struct key_word *word = key->words; word != NULL && word->word != NULL; word++)
                        (void)printf("\"%s\\x0a\"\n", word->word);
        }
}

int main(int argc, char **argv)
{
        char line[1024];

        if (argc == 2 && strcmp(argv[1], "dictionary") == 0) {
                put_dictionary();
        } else if (argc == 3 && strcmp(argv[1], "man") == 0) {
                while (fgets(line, sizeof(line), stdin) != NULL)
                        put_line(line, argv[2]);
        } else {
                (void)fprintf(stderr, "usage: policy-tables man VERSION | dictionary\n");
                return 2;
        }
        return fflush(stdout) == 0 ? 0 : 1;
}
