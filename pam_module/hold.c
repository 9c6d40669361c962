/* hold.c - the module's data in a PAM handle. */
#include "pam_module/hold.h"

#include "common/cleanup.h"
#include "pam_module/client.h"

#include <stdint.h>
#include <string.h>

#define DATA_NAME "agentsh"

/* pam_end, or the handle's next owner. Silent, or in another process than ours: a fork's copy of what lives on. */
static void free_hold(pam_handle_t *pamh, void *data, int error_status)
{
        struct hold *hold = data;

        (void)pamh;
        if (hold->fd >= 0 && hold->open && hold->pid == getpid() && (error_status & PAM_DATA_SILENT) == 0)
                client_abandon(hold->fd);
        hold_drop(hold);
        free(hold);
}

struct hold *hold_find(pam_handle_t *pamh)
{
        const void *data = NULL;

        if (pam_get_data(pamh, DATA_NAME, &data) != PAM_SUCCESS)
                return NULL;
        return (struct hold *)(uintptr_t)data;
}

struct hold *hold_get(pam_handle_t *pamh)
{
        struct hold *hold = hold_find(pamh);

        if (hold == NULL) {
                hold = calloc(1, sizeof(*hold));
                if (hold == NULL)
                        return NULL;
                hold->fd = -EBADF;
                if (pam_set_data(pamh, DATA_NAME, hold, free_hold) != PAM_SUCCESS) {
                        free(hold);
                        return NULL;
                }
        }
        if (hold->pid != getpid())
                hold_drop(hold);
        hold->pid = getpid();
        return hold;
}

void hold_keep(struct hold *hold, int fd, const struct control_request *request)
{
        hold_drop(hold);
        hold->fd = fd;
        memcpy(hold->user, request->user, sizeof(hold->user));
        memcpy(hold->service, request->service, sizeof(hold->service));
}

void hold_drop(struct hold *hold)
{
        cleanup_close_fd(&hold->fd);
        hold->open = false;
}
