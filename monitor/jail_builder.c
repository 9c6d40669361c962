/* jail_builder.c - the child between clone and execve: runs its steps, or says which one failed and ends. */
#include "monitor/jail.h"

#include "monitor/jail_sync.h"

#include <errno.h>
#include <unistd.h>

void jail_builder_main(struct jail *jail)
{
        struct error err = ERROR_INIT;

        if (jail_run_steps(jail, JAIL_BUILD, &err) >= 0)
                (void)error_text(&err, ENOEXEC, "cannot make the jail: its init was not executed");
        /* Nobody is left to tell when this fails: the monitor then sees the end of a builder that said nothing. */
        if (jail_sync_send_failure(jail->sync_fd, &err, NULL) < 0)
                _exit(2);
        _exit(1);
}
