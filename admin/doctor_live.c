/*
 * doctor_live.c - agentshctl doctor --live NAME: a real session, opened through PAM, with the probes in it; what they
 * find is compared with what the policy promises. Root.
 */
#include "admin/doctor_live.h"

#include "admin/live_account.h"
#include "admin/live_bait.h"
#include "admin/live_check.h"
#include "admin/live_probe.h"
#include "admin/live_report.h"
#include "admin/live_session.h"
#include "admin/output.h"
#include "admin/places.h"
#include "admin/policy_report.h"
#include "admin/session_list.h"
#include "admin/verb.h"
#include "common/cleanup.h"

#include <errno.h>
#include <string.h>

struct live_doctor {
        struct account account;
        struct policy policy;
        struct live_bait bait;
        struct live_probe probe;
        struct live_session session;
        struct session_state state;
        struct live_facts facts;
        struct live_report report;
        struct error reason; /* why the session was not opened, or not looked at */
};

static void live_doctor_done(struct live_doctor *doctor)
{
        live_session_close(&doctor->session);
        live_facts_done(&doctor->facts);
        live_probe_done(&doctor->probe);
        live_bait_remove(&doctor->bait);
        live_report_done(&doctor->report);
}

static int find_session(struct live_doctor *doctor)
{
        cleanup_session_list struct session_list list = { 0 };
        int r = session_list_read(doctor->account.name, &list, &doctor->reason);

        if (r < 0)
                return r;
        for (size_t i = 0; i < list.count; i++) {
                if (strcmp(list.state[i].id, doctor->session.id) != 0)
                        continue;
                doctor->state = list.state[i];
                return 0;
        }
        return error_text(&doctor->reason, ESRCH, "the session %s ended before it could be looked at",
                          doctor->session.id);
}

static int open_and_probe(struct live_doctor *doctor)
{
        struct error *err = &doctor->reason;
        int r = live_bait_put(&doctor->bait, &doctor->account, err);

        if (r >= 0)
                r = live_probe_prepare(&doctor->probe, &doctor->bait, err);
        if (r >= 0)
                r = live_session_open(&doctor->account, live_pick_service(&doctor->policy), doctor->probe.command, NULL,
                                      &doctor->session, err);
        if (r >= 0)
                r = live_probe_run(&doctor->probe, &doctor->session, &doctor->facts, err);
        if (r < 0)
                return r;
        if (!doctor->facts.complete)
                return error_text(err, EPROTO, "the probe did not come to its end in the session%s%s",
                                  doctor->facts.noise[0] != '\0' ? ": " : "", doctor->facts.noise);
        return find_session(doctor);
}

/* While the session lives: its processes and control groups are looked at too. */
static void check_all(struct live_doctor *doctor)
{
        const struct live_check check = { .account = &doctor->account,
                                          .policy = &doctor->policy,
                                          .state = &doctor->state,
                                          .facts = &doctor->facts,
                                          .report = &doctor->report };

        live_check_outside(&check);
        live_check_limits(&check);
        live_check_identity(&check);
        live_check_mounts(&check);
        live_check_view(&check);
        live_check_attempts(&check);
        live_bait_check(&doctor->bait, &doctor->report);
}

static uint64_t answer_after(const struct live_doctor *doctor)
{
        return doctor->probe.answer_usec > doctor->session.begun_usec
                       ? doctor->probe.answer_usec - doctor->session.begun_usec
                       : 0;
}

static void print_text(const struct live_doctor *doctor, bool good)
{
        const struct live_session *session = &doctor->session;

        if (doctor->reason.number != 0) {
                (void)printf("bad  session     %s: %s\n", doctor->account.name, doctor->reason.text);
                return;
        }
        live_report_print(&doctor->report, stdout);
        (void)printf("%s: a session of the tier %s by the service %s is %s.\nPAM's account phase took %.1f ms, its "
                     "session phase %.1f ms; the first command answered %.1f ms after the beginning.\n",
                     doctor->account.name, doctor->state.tier, session->service,
                     good ? "as its policy says" : "NOT as its policy says", (double)session->account_usec / 1000,
                     (double)session->open_usec / 1000, (double)answer_after(doctor) / 1000);
}

static void print_json(const struct live_doctor *doctor, bool good)
{
        struct json json = { .stream = stdout };

        json_begin_object(&json, NULL);
        json_string(&json, "account", doctor->account.name);
        json_bool(&json, "good", good);
        json_string(&json, "reason", doctor->reason.number != 0 ? doctor->reason.text : NULL);
        if (doctor->reason.number == 0) {
                json_string(&json, "session", doctor->session.id);
                json_string(&json, "service", doctor->session.service);
                json_string(&json, "tier", doctor->state.tier);
                json_number(&json, "account_usec", (int64_t)doctor->session.account_usec);
                json_number(&json, "open_usec", (int64_t)doctor->session.open_usec);
                json_number(&json, "answer_usec", (int64_t)answer_after(doctor));
        }
        live_report_json(&doctor->report, &json, "properties");
        json_end_object(&json);
        (void)putchar('\n');
}

int doctor_live(const char *name, bool as_json)
{
        static struct live_doctor doctor;
        struct error err = ERROR_INIT;
        bool good;

        doctor = (struct live_doctor){ .bait = LIVE_BAIT_INIT, .session = LIVE_SESSION_INIT };
        if (live_find_agent(name, &doctor.account, &err) < 0)
                return output_error(&err);
        if (live_load_policy(name, &doctor.policy, &doctor.reason) == 0 && open_and_probe(&doctor) == 0)
                check_all(&doctor);
        good = doctor.reason.number == 0 && live_report_good(&doctor.report);
        if (as_json)
                print_json(&doctor, good);
        else
                print_text(&doctor, good);
        live_doctor_done(&doctor);
        return finish_output(good ? VERB_OK : VERB_FAILED);
}
