/*
 * load.h - what the parts of the loader share: the state of one load, applying a file, the checks across keys.
 */
#ifndef AGENTSH_POLICY_LOAD_H
#define AGENTSH_POLICY_LOAD_H

#include "policy/report.h"
#include "policy/scan.h"
#include "policy/table.h"

#define LAYERS_MAX    10 /* the account's file, eight templates, agentsh.ini */
#define TEMPLATES_MAX 8

/* One file of the chain. */
struct layer {
        char name[160]; /* relative to the configuration directory */
        struct scan_document document;
        char inherits[POLICY_NAME_MAX]; /* template that it names, or "" */
        unsigned inherits_line;
        bool is_global; /* agentsh.ini */
};

struct load {
        struct policy *policy;
        struct policy_report *report;
        struct policy_origin origins[POLICY_KEYS];
        struct layer layers[LAYERS_MAX]; /* in reverse: the account's file first */
        size_t count;
};

/* Scan `text`, let iniparser confirm it, note the template it names. Only a lack of memory or such is an error. */
must_check int layer_read(struct layer *layer, const char *text, size_t size, struct policy_report *report,
                          struct error *err);

/* Put the values of the layer over those of load->policy, and report every name and value that is wrong. */
void layer_apply(struct load *load, const struct layer *layer);

/* Fill *policy with the defaults of the table. */
must_check int policy_set_defaults(struct policy *policy, const char *account, struct error *err);

/* What no single key can tell. Also makes home_size 0 where it has no meaning. */
void policy_check_across(struct load *load);

#endif
