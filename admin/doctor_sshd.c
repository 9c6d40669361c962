/* doctor_sshd.c - asks sshd itself what it makes of its configuration for each agent. Root: it reads the host keys. */
#include "admin/doctor.h"
#include "admin/run.h"
#include "admin/sshd_config.h"
#include "common/cleanup.h"

#include <string.h>

#define CHECK "sshd"

static int ask_sshd(const char *account, struct run_result *ret, struct error *err)
{
        char connection[128];
        const char *const argv[] = { "sshd", "-T", "-C", connection, NULL };

        (void)snprintf(connection, sizeof(connection), "user=%s,host=x,addr=127.0.0.1", account);
        return run_program(argv, NULL, 30, ret, err);
}

static void add_failure(struct findings *findings, const char *who, const struct run_result *result)
{
        char reason[256];

        run_last_line(result, reason, sizeof(reason));
        finding_add(findings, FINDING_BAD, CHECK, "sshd -T fails for %s: %s", who, reason);
        if (strstr(reason, "privilege separation directory") != NULL)
                finding_remedy(findings, "start sshd, or: mkdir -m 0755 /run/sshd");
        else if (strstr(reason, "hostkeys") != NULL)
                finding_remedy(findings, "ssh-keygen -A");
        else
                finding_remedy(findings, "repair /etc/ssh/sshd_config: sshd -t names the line");
}

static bool are_equal(const struct run_result *results, size_t a, size_t b)
{
        return results[b].output != NULL && strcmp(results[b].output, results[a].output) == 0;
}

/* How many accounts from `first` on sshd said the same of. */
static size_t count_equal(const struct run_result *results, size_t count, size_t first)
{
        size_t equal = 0;

        for (size_t i = first; i < count; i++)
                equal += are_equal(results, first, i);
        return equal;
}

/* Told once, it counts for each of them. */
static void repeat_for_equal(struct findings *findings, const struct account_list *agents,
                             const struct run_result *results, size_t first, size_t first_finding, bool *told)
{
        size_t last_finding = findings->count;

        findings_give(findings, first_finding, agents->account[first].name);
        told[first] = true;
        for (size_t i = first + 1; i < agents->count; i++) {
                if (told[i] || !are_equal(results, first, i))
                        continue;
                told[i] = true;
                findings_repeat(findings, first_finding, last_finding, agents->account[i].name);
        }
}

static void judge(struct findings *findings, const struct account_list *agents, const struct run_result *results,
                  bool *told)
{
        for (size_t i = 0; i < agents->count; i++) {
                const char *name = agents->account[i].name;
                size_t equal, before = findings->count;
                char who[96];

                if (told[i] || results[i].output == NULL)
                        continue;
                equal = count_equal(results, agents->count, i);
                if (equal > 1)
                        (void)snprintf(who, sizeof(who), "%s and %zu more", name, equal - 1);
                else
                        (void)snprintf(who, sizeof(who), "%s", name);
                if (results[i].status != 0)
                        add_failure(findings, who, &results[i]);
                else if (sshd_config_check(results[i].output, who, findings) == 0)
                        finding_add(findings, FINDING_OK, CHECK, "%s: nothing goes around the login shell", who);
                repeat_for_equal(findings, agents, results, i, before, told);
        }
}

/* Returns whether sshd could be run at all. */
static bool ask_for_all(struct findings *findings, const struct account_list *agents, struct run_result *results)
{
        for (size_t i = 0; i < agents->count; i++) {
                const char *name = agents->account[i].name;
                struct error err = ERROR_INIT;
                int r;

                /* A name with a comma would be more than a name to sshd -C. */
                if (parse_account_name(name, &err) < 0) {
                        finding_add(findings, FINDING_BAD, CHECK, "the account name \"%s\" cannot be checked: %s", name,
                                    err.text);
                        findings_give(findings, findings->count - 1, name);
                        continue;
                }
                r = ask_sshd(name, &results[i], &err);
                if (r == -ENOENT) {
                        finding_add(findings, FINDING_NOTE, CHECK, "there is no sshd on this system");
                        return false;
                }
                if (r < 0)
                        finding_add(findings, FINDING_BAD, CHECK, "%s", err.text);
        }
        return true;
}

void doctor_sshd(struct findings *findings, const struct account_list *agents)
{
        cleanup_free struct run_result *results = calloc(agents->count + 1, sizeof(*results));
        cleanup_free bool *told = calloc(agents->count + 1, sizeof(*told));

        if (results == NULL || told == NULL) {
                findings->lost = true;
                return;
        }
        if (agents->count == 0)
                finding_add(findings, FINDING_NOTE, CHECK, "not checked: there is no agent account yet");
        if (ask_for_all(findings, agents, results))
                judge(findings, agents, results, told);
        for (size_t i = 0; i < agents->count; i++)
                run_result_done(&results[i]);
}
