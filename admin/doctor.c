/* doctor.c - agentshctl doctor: everything that must hold on this host, each failure with its remedy. Root. */
#include "admin/doctor.h"

#include "admin/doctor_live.h"
#include "admin/output.h"
#include "admin/verb.h"

static int parse_options(int argc, char **argv, bool *ret_json, const char **ret_live)
{
        static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                                 { "live", required_argument, NULL, 'l' },
                                                 { 0 } };
        int option;

        *ret_json = false;
        *ret_live = NULL;
        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (option == 'j')
                        *ret_json = true;
                else if (option == 'l')
                        *ret_live = optarg;
                else
                        return output_usage(argv[0], "cannot understand the options");
        }
        return optind < argc ? output_usage(argv[0], "too many arguments") : VERB_OK;
}

static bool any_nested(const struct account_list *agents)
{
        for (size_t i = 0; i < agents->count; i++) {
                struct policy policy;

                if (doctor_load_policy(agents->account[i].name, &policy) && policy.nested)
                        return true;
        }
        return false;
}

static bool is_good(const struct findings *findings)
{
        return findings_count(findings, FINDING_BAD) == 0 && !findings->lost;
}

static void print_text(const struct findings *findings, const struct account_list *agents)
{
        findings_print(findings, stdout);
        doctor_print_summary(findings, agents);
        findings_print_counts(findings, stdout);
}

static void print_json(const struct findings *findings, const struct account_list *agents)
{
        struct json json = { .stream = stdout };

        json_begin_object(&json, NULL);
        json_bool(&json, "good", is_good(findings));
        findings_json(findings, &json, "findings");
        doctor_json_summary(findings, agents, &json);
        json_end_object(&json);
        (void)putchar('\n');
}

static int doctor_host(bool as_json)
{
        cleanup_account_list struct account_list agents = { 0 };
        cleanup_findings struct findings findings = { 0 };
        struct error err = ERROR_INIT;

        if (account_list_agents(&agents, &err) < 0)
                return output_error(&err);
        doctor_kernel(&findings, any_nested(&agents));
        doctor_monitor(&findings, &agents);
        doctor_pam(&findings);
        doctor_sshd(&findings, &agents);
        doctor_guard(&findings, &agents);
        doctor_accounts(&findings, &agents);
        doctor_files(&findings, &agents);
        if (as_json)
                print_json(&findings, &agents);
        else
                print_text(&findings, &agents);
        return finish_output(is_good(&findings) ? VERB_OK : VERB_FAILED);
}

int verb_doctor(int argc, char **argv)
{
        const char *live;
        bool as_json;

        if (parse_options(argc, argv, &as_json, &live) != VERB_OK)
                return VERB_USAGE;
        return live != NULL ? doctor_live(live, as_json) : doctor_host(as_json);
}
