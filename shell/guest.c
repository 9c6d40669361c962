/*
 * guest.c - agentsh-guest: the far end of agentsh-relay. As process 1 of a machine (/init of its initramfs) it makes
 * the machine ready; with --stream FD it serves over that descriptor on the machine it runs on, for tests.
 */
#include "common/cleanup.h"
#include "common/process.h"
#include "shell/guest_machine.h"
#include "shell/guest_serve.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#define GUEST_INIT_PROGRAM "/agentsh-init" /* in the initramfs */

static int prepare(struct guest *guest, int argc, char **argv, struct transport *ret, struct error *err)
{
        const char *program = GUEST_INIT_PROGRAM;
        int r = process_reset_signals(err);

        if (r < 0)
                return r;
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot protect agentsh-guest");
        guest->machine = getpid() == 1;
        if (guest->machine) {
                r = guest_machine_boot(ret, err);
        } else if (argc == 5 && strcmp(argv[1], "--stream") == 0 && strcmp(argv[3], "--init") == 0) {
                program = argv[4];
                *ret = (struct transport){ &transport_inherited, r = transport_inherited.open(argv[2], err) };
        } else {
                return error_text(err, EINVAL, "usage: agentsh-guest --stream FD --init PROGRAM");
        }
        if (r < 0)
                return r;
        guest->program = open(program, O_PATH | O_CLOEXEC);
        return guest->program < 0 ? error_errno(err, errno, "cannot open %s", program) : 0;
}

int main(int argc, char **argv)
{
        cleanup_free struct guest *guest = calloc(1, sizeof(*guest));
        struct error err = ERROR_INIT;
        struct transport transport;
        int r = guest == NULL ? error_errno(&err, ENOMEM, "cannot start")
                              : prepare(guest, argc, argv, &transport, &err);

        if (r == 0)
                r = guest_serve(guest, transport, &err);
        if (r < 0)
                (void)dprintf(STDERR_FILENO, "agentsh-guest: %s\n", err.text);
        if (guest != NULL && guest->machine)
                guest_machine_end();
        return r < 0 ? 1 : 0;
}
