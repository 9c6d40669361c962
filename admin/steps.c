/* steps.c - all or nothing. Needs what the steps need. */
#include "admin/steps.h"

#include "admin/output.h"
#include "common/fault.h"

#include <errno.h>
#include <signal.h>

static void undo_steps(const struct step *steps, size_t count, struct account_plan *plan)
{
        while (count-- > 0) {
                struct error err = ERROR_INIT;

                if (steps[count].undo != NULL && steps[count].undo(plan, &err) < 0)
                        output_note("cannot take back the step \"%s\": %s", steps[count].name, err.text);
        }
}

static int apply_step(const struct step *step, struct account_plan *plan, struct error *err)
{
        if (FAULT_POINT(step->name))
                return error_text(err, EIO, "the step \"%s\" was made to fail", step->name);
        return step->apply(plan, err);
}

static int apply_steps(const struct step *steps, size_t count, struct account_plan *plan, struct error *err)
{
        for (size_t i = 0; i < count; i++) {
                int r = apply_step(&steps[i], plan, err);

                if (r < 0) {
                        undo_steps(steps, i, plan);
                        return r;
                }
        }
        return 0;
}

int steps_run(const struct step *steps, size_t count, struct account_plan *plan, struct error *err)
{
        sigset_t held, before;
        int r;

        sigemptyset(&held);
        sigaddset(&held, SIGINT);
        sigaddset(&held, SIGTERM);
        sigaddset(&held, SIGHUP);
        sigaddset(&held, SIGQUIT);
        if (sigprocmask(SIG_BLOCK, &held, &before) < 0)
                return error_errno(err, errno, "cannot hold signals back");
        r = apply_steps(steps, count, plan, err);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        return r;
}
