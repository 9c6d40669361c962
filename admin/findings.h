/*
 * findings.h - what `agentshctl doctor` found: each with its severity and, when something is to be done, the remedy.
 */
#ifndef AGENTSH_ADMIN_FINDINGS_H
#define AGENTSH_ADMIN_FINDINGS_H

#include "common/error.h"
#include "common/json.h"
#include "common/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum severity {
        FINDING_OK,
        FINDING_NOTE,    /* worth knowing */
        FINDING_WARNING, /* weaker than it should be, or a part of agentsh will not work */
        FINDING_BAD,     /* a way around the isolation, or logins fail */
};

struct finding {
        enum severity severity;
        char check[24]; /* "pam", "sshd", ...: a literal of ours */
        char text[640];
        char remedy[640]; /* the command that repairs it; ", or: " another way, ", then ..." what is left to do by hand;
                             "" when there is nothing to do */
        char account[ACCOUNT_NAME_MAX + 1]; /* whose it is; "" the host's, and so everybody's */
        bool repeated; /* said of another account already: it counts for this one, and is not shown again */
};

struct findings {
        size_t count;
        struct finding *item;
        bool lost; /* memory ran out: the result says too little */
};

void finding_add(struct findings *findings, enum severity severity, const char *check, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* The remedy of the finding that was added last. */
void finding_remedy(struct findings *findings, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Whose all findings from `first` (an index) on are. */
void findings_give(struct findings *findings, size_t first, const char *account);

/* Add those from `first` on that are bad or warnings once more, for another account, not to be shown. */
void findings_repeat(struct findings *findings, size_t first, size_t last, const char *account);

const char *severity_name(enum severity severity);

size_t findings_count(const struct findings *findings, enum severity severity);

/* The same for one account's ("": the host's), repeated ones too. */
size_t findings_count_of(const struct findings *findings, enum severity severity, const char *account);

void findings_print(const struct findings *findings, FILE *stream);
void findings_print_counts(const struct findings *findings, FILE *stream);
void findings_json(const struct findings *findings, struct json *json, const char *key);
void findings_done(struct findings *findings);

#define cleanup_findings __attribute__((cleanup(findings_done)))

#endif
