/* ssh_login.c - reads what sshd says of an authentication, and the options of keys. Pure. */
#include "monitor/ssh_login.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define METHOD  "publickey "
#define COMMAND "command=\"agentsh-session\""
#define ADVICE  "; [account] sshd = any lets it in"

struct text {
        const char *at;
        size_t length;
};

static bool equals(struct text text, const char *word)
{
        return text.length == strlen(word) && strncasecmp(text.at, word, text.length) == 0;
}

static bool begins(struct text text, const char *word)
{
        return text.length > strlen(word) && strncasecmp(text.at, word, strlen(word)) == 0;
}

/* The next piece of *rest up to one of the separators, which goes with it. `quotes`: not inside of "...". */
static struct text cut(struct text *rest, const char *separators, bool quotes)
{
        struct text piece = { rest->at, 0 };
        bool quoted = false;

        while (piece.length < rest->length && (quoted || strchr(separators, piece.at[piece.length]) == NULL)) {
                if (quotes && piece.at[piece.length] == '\\' && piece.length + 1 < rest->length)
                        piece.length++;
                else if (quotes && piece.at[piece.length] == '"')
                        quoted = !quoted;
                piece.length++;
        }
        rest->at += piece.length + (piece.length < rest->length);
        rest->length -= piece.length + (piece.length < rest->length);
        return piece;
}

static void skip_blanks(struct text *text)
{
        while (text->length > 0 && (*text->at == ' ' || *text->at == '\t')) {
                text->at++;
                text->length--;
        }
}

/* Options by which a key gives nothing more than `restrict` leaves. What is not known opens something. */
static bool is_harmless(struct text option)
{
        static const char *const words[] = { "restrict", "pty", COMMAND, "verify-required" };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (equals(option, words[i]))
                        return true;
        return begins(option, "no-") || begins(option, "from=") || begins(option, "expiry-time=");
}

static bool are_closed(struct text options)
{
        bool restricted = false, command = false;

        while (options.length > 0) {
                struct text option = cut(&options, ",", true);

                if (!is_harmless(option))
                        return false;
                restricted = restricted || equals(option, "restrict");
                command = command || equals(option, COMMAND);
        }
        return restricted && command;
}

/* Whether the line is of this key ("TYPE BLOB"), and its options. */
static bool is_of_key(struct text line, struct text key, struct text *ret_options)
{
        skip_blanks(&line);
        *ret_options = (struct text){ line.at, 0 };
        for (;;) {
                if (line.length >= key.length && memcmp(line.at, key.at, key.length) == 0 &&
                    (line.length == key.length || strchr(" \t\r", line.at[key.length]) != NULL))
                        return true;
                if (ret_options->length > 0 || line.length == 0)
                        return false;
                *ret_options = cut(&line, " \t", true);
                skip_blanks(&line);
        }
}

static int check_key(struct text key, const char *keys, struct error *err)
{
        struct text rest = { keys, strlen(keys) }, options;
        bool found = false;

        while (rest.length > 0) {
                struct text line = cut(&rest, "\n", false);

                if (!is_of_key(line, key, &options))
                        continue;
                if (!are_closed(options))
                        return error_text(err, EACCES,
                                          "the options of this key leave open what goes around the login shell: its "
                                          "line must begin with restrict,pty," COMMAND);
                found = true;
        }
        return found ? 0 : error_text(err, EACCES, "the key of this ssh login is not in the account's file" ADVICE);
}

int ssh_login_check(const char *auth, const char *keys, struct error *err)
{
        struct text rest = { auth, strlen(auth) };
        bool by_key = false;

        while (rest.length > 0) {
                struct text method = cut(&rest, ";", false);
                int r;

                if (!begins(method, METHOD))
                        continue;
                method.at += strlen(METHOD);
                method.length -= strlen(METHOD);
                r = check_key(method, keys, err);
                if (r < 0)
                        return r;
                by_key = true;
        }
        return by_key ? 0 : error_text(err, EACCES, "this ssh login was not by a key" ADVICE);
}
