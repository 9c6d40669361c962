/* status.c - checks what came over the line between monitor and init. Pure. */
#include "common/status.h"

#include "common/fault.h"

#include <errno.h>
#include <string.h>

int status_parse_report(const void *data, size_t size, struct status_report *ret, struct error *err)
{
        struct status_report report;

        if (size != sizeof(report))
                return error_text(err, EBADMSG, "a report of %zu bytes instead of %zu", size, sizeof(report));
        memcpy(&report, data, sizeof(report));
        if (report.magic != STATUS_MAGIC && !OMIT_POINT("version of a report"))
                return error_text(err, EBADMSG, "a report of another version");
        if ((report.kind < STATUS_UP || report.kind > STATUS_CLOSED) && !OMIT_POINT("kind of a report"))
                return error_text(err, EBADMSG, "a report of the unknown kind %u", report.kind);
        if (report.channels > STATUS_CHANNELS_MAX && !OMIT_POINT("channels of a report"))
                return error_text(err, EBADMSG, "a report of %u channels", report.channels);
        *ret = report;
        return 0;
}

int status_parse_notice(const void *data, size_t size, struct status_notice *ret, struct error *err)
{
        struct status_notice notice;

        if (size != sizeof(notice))
                return error_text(err, EBADMSG, "a notice of %zu bytes instead of %zu", size, sizeof(notice));
        memcpy(&notice, data, sizeof(notice));
        if (notice.magic != STATUS_MAGIC || notice.ending >= ENDINGS)
                return error_text(err, EBADMSG, "a notice of another version");
        notice.hit &= (1U << LIMIT_BITS) - 1;
        *ret = notice;
        return 0;
}
