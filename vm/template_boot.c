/*
 * template_boot.c - see template_boot.h. The guest runs nothing but agentsh-guest: it says hello, is told to freeze, and
 * then QEMU writes the devices' state; the memory is in its file already, since QEMU works on it.
 */
#include "vm/template_boot.h"

#include "common/cleanup.h"
#include "common/process.h"
#include "shell/frame.h"
#include "vm/qemu_process.h"
#include "vm/qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int wait_frame(int fd, struct frame_reader *reader, enum frame_type type, uint64_t deadline_ms,
                      struct error *err)
{
        struct frame frame;

        for (;;) {
                struct pollfd item = { .fd = fd, .events = POLLIN };
                uint64_t now = process_monotonic_ms();
                int r = frame_reader_next(reader, FRAME_OUTWARDS, &frame, err);
                uint8_t *to;
                size_t room;
                ssize_t got;

                if (r < 0)
                        return r;
                if (r > 0 && frame.type == FRAME_HELLO && frame_check_hello(&frame, err) < 0)
                        return -err->number;
                if (r > 0 && frame.type == type)
                        return 0;
                if (r > 0)
                        continue;
                if (now >= deadline_ms || poll(&item, 1, (int)(deadline_ms - now)) == 0)
                        return error_text(err, ETIMEDOUT, "the guest did not start in time");
                room = frame_reader_room(reader, &to);
                got = read(fd, to, room);
                if (got <= 0 && errno != EINTR)
                        return error_text(err, EPIPE, "the guest ended");
                frame_reader_filled(reader, got > 0 ? (size_t)got : 0);
        }
}

/* Hello and freeze are written at once: they wait in QEMU's socket until the guest reads. */
static int freeze_guest(int fd, uint64_t deadline_ms, struct error *err)
{
        cleanup_free struct frame_reader *reader = calloc(1, sizeof(*reader));
        cleanup_free struct frame_writer *writer = calloc(1, sizeof(*writer));
        const struct frame_hello hello = { .magic = FRAME_MAGIC, .version = FRAME_VERSION };

        if (reader == NULL || writer == NULL)
                return error_errno(err, ENOMEM, "cannot talk to the guest");
        if (!frame_writer_put(writer, FRAME_HELLO, 0, 0, &hello, sizeof(hello)) ||
            !frame_writer_put(writer, FRAME_FREEZE, 0, 0, NULL, 0) ||
            send(fd, writer->data + writer->start, frame_writer_pending(writer), MSG_NOSIGNAL) !=
                    (ssize_t)frame_writer_pending(writer))
                return error_text(err, EPIPE, "cannot talk to the guest");
        return wait_frame(fd, reader, FRAME_FROZEN, deadline_ms, err);
}

static int save(int qmp_fd, int state_fd, uint64_t deadline_ms, struct error *err)
{
        static const char *const prepare[] = {
                "{\"execute\": \"stop\"}",
                "{\"execute\": \"migrate-set-capabilities\", \"arguments\": {\"capabilities\": "
                "[{\"capability\": \"x-ignore-shared\", \"state\": true}]}}",
        };
        cleanup_free struct qmp *qmp = calloc(1, sizeof(*qmp));
        int r;

        if (qmp == NULL)
                return error_errno(err, ENOMEM, "cannot talk to QEMU");
        r = qmp_start(qmp, qmp_fd, deadline_ms, err);
        for (size_t i = 0; r >= 0 && i < sizeof(prepare) / sizeof(prepare[0]); i++)
                r = qmp_command(qmp, prepare[i], -1, err);
        if (r >= 0)
                r = qmp_command(qmp, "{\"execute\": \"getfd\", \"arguments\": {\"fdname\": \"state\"}}", state_fd, err);
        if (r >= 0)
                r = qmp_command(qmp, "{\"execute\": \"migrate\", \"arguments\": {\"uri\": \"fd:state\"}}", -1, err);
        return r < 0 ? r : qmp_wait_migration(qmp, err);
}

static int size_memory(const struct vm_boot *boot, struct error *err)
{
        if (ftruncate(boot->ram_fd, 0) < 0 || ftruncate(boot->ram_fd, (off_t)boot->machine->memory) < 0 ||
            ftruncate(boot->state_fd, 0) < 0 || lseek(boot->state_fd, 0, SEEK_SET) < 0 ||
            fchown(boot->ram_fd, QEMU_UID, QEMU_UID) < 0)
                return error_errno(err, errno, "cannot make the template's files");
        return 0;
}

static int run(const struct vm_boot *boot, struct qemu_process *qemu, uint64_t deadline_ms, struct error *err)
{
        cleanup_close int channel = -EBADF, their_channel = -EBADF, qmp = -EBADF, their_qmp = -EBADF;
        int pair[4], fds[VM_FD_END - VM_FD_CHANNEL];
        struct vm_command command;
        int r = vm_template_command(boot->machine, boot->machine->accel == VM_TCG ? vm_tsc_khz() : 0, &command, err);

        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make a socket");
        channel = pair[0];
        their_channel = pair[1];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair + 2) < 0)
                return error_errno(err, errno, "cannot make a socket");
        qmp = pair[2];
        their_qmp = pair[3];
        for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
                fds[i] = -1;
        fds[VM_FD_CHANNEL - VM_FD_CHANNEL] = their_channel;
        fds[VM_FD_QMP - VM_FD_CHANNEL] = their_qmp;
        fds[VM_FD_RAM - VM_FD_CHANNEL] = boot->ram_fd;
        fds[VM_FD_KERNEL - VM_FD_CHANNEL] = boot->kernel_fd;
        fds[VM_FD_INITRAMFS - VM_FD_CHANNEL] = boot->initramfs_fd;
        r = qemu_start(&command, fds, qemu, err);
        cleanup_close_fd(&their_channel);
        cleanup_close_fd(&their_qmp);
        if (r >= 0)
                r = freeze_guest(channel, deadline_ms, err);
        return r < 0 ? r : save(qmp, boot->state_fd, deadline_ms, err);
}

int vm_boot_and_freeze(const struct vm_boot *boot, unsigned timeout_seconds, struct error *err)
{
        struct qemu_process qemu = QEMU_PROCESS_INIT;
        int r = size_memory(boot, err);

        if (r < 0)
                return r;
        r = run(boot, &qemu, process_monotonic_ms() + timeout_seconds * 1000ULL, err);
        if (r < 0 && qemu.pid > 0) {
                char words[256];

                qemu_last_words(&qemu, words, sizeof(words));
                if (words[0] != '\0')
                        (void)error_prefix(err, "QEMU said \"%s\"", words);
        }
        qemu_done(&qemu);
        if (r >= 0 && (fchown(boot->ram_fd, 0, 0) < 0 || fsync(boot->ram_fd) < 0 || fsync(boot->state_fd) < 0))
                return error_errno(err, errno, "cannot finish the template's files");
        return r;
}
