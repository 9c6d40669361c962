/* doctor.c - agentshctl doctor: everything that must hold on this host, each failure with its remedy. Root. */
#include "admin/doctor.h"

#include "admin/output.h"
#include "admin/verb.h"

int verb_doctor(int argc, char **argv)
{
        cleanup_account_list struct account_list agents = { 0 };
        cleanup_findings struct findings findings = { 0 };
        struct error err = ERROR_INIT;
        bool as_json;

        if (parse_json_option(argc, argv, 0, 0, &as_json) != VERB_OK)
                return VERB_USAGE;
        if (account_list_agents(&agents, &err) < 0)
                return output_error(&err);
        doctor_kernel(&findings);
        doctor_monitor(&findings);
        doctor_pam(&findings);
        doctor_sshd(&findings, &agents);
        doctor_guard(&findings, &agents);
        doctor_accounts(&findings, &agents);
        doctor_files(&findings, &agents);
        if (as_json)
                findings_print_json(&findings, stdout);
        else
                findings_print(&findings, stdout);
        return finish_output(findings_count(&findings, FINDING_BAD) > 0 || findings.lost ? VERB_FAILED : VERB_OK);
}
