/*
 * home_transfer.c - see home_transfer.h. Sockets, not pipes: whoever is inside can make a reader of a pipe that they
 * share sleep in the kernel, without end.
 */
#include "admin/home_transfer.h"

#include "admin/output.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE     (256 * 1024)
#define LINES_MAX 50

/*
 * For whatever shell the account has. What belongs to root of a guest is not the agent's to read, and tells nothing:
 * lost+found. Times within the second and long names need the pax format.
 */
#define EXPORT                                                                                     \
        "exec /bin/sh -c 'cd || exit; [ -r lost+found ] || set -- \"$@\" --exclude=./lost+found; " \
        "exec tar --create --file=- --format=pax --pax-option=delete=atime,delete=ctime --sparse " \
        "--xattrs --acls \"$@\" --null --files-from=-' tar"
#define IMPORT                                                                                    \
        "exec /bin/sh -c 'echo ready; cd || exit; tar --extract --file=- --preserve-permissions " \
        "--no-same-owner --delay-directory-restore --xattrs --acls; status=$?; sync; exit $status' tar"

static int make_socket(int *ret_ours, int *ret_theirs, struct error *err)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make a socket pair");
        *ret_ours = pair[0];
        *ret_theirs = pair[1];
        return 0;
}

/* The names of the files, in full before anybody reads. */
static int make_list(const struct home_paths *paths, int *ret, struct error *err)
{
        cleanup_close int input = -EBADF;
        int ends[2];
        ssize_t put;

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return error_errno(err, errno, "cannot make a pipe");
        *ret = ends[0];
        input = ends[1];
        put = write(input, paths->text, paths->size);
        if (put < 0 && errno != EAGAIN)
                return error_errno(err, errno, "cannot write to a pipe");
        if (put != (ssize_t)paths->size || fcntl(*ret, F_SETFL, 0) < 0)
                return error_text(err, E2BIG, "too many paths at once");
        return 0;
}

int home_transfer_export(struct home_transfer *transfer, const struct account *account, const char *service,
                         const struct home_paths *paths, struct error *err)
{
        cleanup_close int list = -EBADF, output = -EBADF, error = -EBADF;
        int r = make_list(paths, &list, err);

        transfer->account = account;
        if (r >= 0)
                r = make_socket(&transfer->data, &output, err);
        if (r >= 0)
                r = make_socket(&transfer->said, &error, err);
        return r < 0 ? r
                     : live_session_open(account, service,
                                         paths->ignore_unreadable ? EXPORT " --ignore-failed-read" : EXPORT,
                                         &(struct live_streams){ list, output, error }, &transfer->session, err);
}

/* -- what is said beside the archive */

static void show_line(struct home_transfer *transfer)
{
        char text[4 * sizeof(transfer->text) + 1];

        transfer->text[transfer->used] = '\0';
        transfer->used = 0;
        escape_text(text, sizeof(text), transfer->text);
        progress_clear(&transfer->progress);
        if (++transfer->lines < LINES_MAX)
                output_note("%s: %s", transfer->account->name, text);
        else if (transfer->lines == LINES_MAX)
                output_note("%s: (and more)", transfer->account->name);
}

/* The first line that an import's command says is no message. */
static void take_byte(struct home_transfer *transfer, char byte)
{
        if (byte == '\n' || byte == '\0' || transfer->used == sizeof(transfer->text) - 1) {
                bool ready = !transfer->answered && transfer->used == 5 && memcmp(transfer->text, "ready", 5) == 0;

                if (ready)
                        transfer->used = 0;
                else if (transfer->used > 0)
                        show_line(transfer);
                transfer->answered = true;
        }
        if (byte != '\n' && byte != '\0')
                transfer->text[transfer->used++] = byte;
}

/* false: nothing is there at the moment, or ever. */
static bool hear(struct home_transfer *transfer)
{
        char piece[4096];
        ssize_t got = transfer->said < 0 ? 0 : recv(transfer->said, piece, sizeof(piece), MSG_DONTWAIT);

        for (ssize_t i = 0; i < got; i++)
                take_byte(transfer, piece[i]);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
                cleanup_close_fd(&transfer->said);
        return got > 0;
}

/* -- the loop */

/* Waits for one of: the archive's socket, what is said, the command's end, and `other`. Takes the two in the middle. */
static int wait_for(struct home_transfer *transfer, short data_events, struct pollfd *other, short *ret_data,
                    struct error *err)
{
        struct pollfd items[] = { { .fd = data_events != 0 ? transfer->data : -1, .events = data_events },
                                  { .fd = transfer->said, .events = POLLIN },
                                  { .fd = transfer->session.control, .events = POLLIN },
                                  { .fd = -1 } };
        int r = 0;

        if (other != NULL)
                items[3] = *other;
        if (poll(items, 4, -1) < 0)
                return errno == EINTR ? 0 : error_errno(err, errno, "cannot wait for the session");
        if (items[1].revents != 0)
                (void)hear(transfer);
        if (items[2].revents != 0) {
                r = live_session_status(&transfer->session, &transfer->status, err);
                transfer->ended = true;
        }
        *ret_data = items[0].revents;
        if (other != NULL)
                other->revents = items[3].revents;
        return r;
}

/* What the command had said when it ended is heard, but nobody who still has its streams is waited for. */
static int judge(struct home_transfer *transfer, struct error *err)
{
        for (unsigned i = 0; i < LINES_MAX && hear(transfer); i++)
                continue;
        if (transfer->used > 0)
                show_line(transfer);
        if (transfer->status == 0) {
                progress_end(&transfer->progress);
                return 0;
        }
        progress_clear(&transfer->progress);
        return error_text(err, EIO, "tar in a session of %s ended with status %d", transfer->account->name,
                          transfer->status);
}

/* 1: more may come. 0: the end, or nothing at the moment. */
static int move_out(struct home_transfer *transfer, char *piece, int fd, struct error *err)
{
        ssize_t got = recv(transfer->data, piece, PIECE, MSG_DONTWAIT);
        int r;

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (got <= 0) {
                cleanup_close_fd(&transfer->data);
                return 0;
        }
        r = fd_write_all(fd, piece, (size_t)got, "the archive", err);
        if (r < 0)
                return r;
        progress_add(&transfer->progress, (uint64_t)got);
        return 1;
}

int home_transfer_take(struct home_transfer *transfer, int fd, struct error *err)
{
        cleanup_free char *piece = malloc(PIECE);
        int r = piece == NULL ? error_errno(err, ENOMEM, "cannot read the archive") : 0;

        progress_begin(&transfer->progress, transfer->account->name, 0);
        while (r >= 0 && !transfer->ended) {
                short ready = 0;

                r = wait_for(transfer, POLLIN, NULL, &ready, err);
                if (r >= 0 && ready != 0)
                        r = move_out(transfer, piece, fd, err);
        }
        for (r = r < 0 ? r : 1; r > 0 && transfer->data >= 0;)
                r = move_out(transfer, piece, fd, err);
        return r < 0 ? r : judge(transfer, err);
}

int home_transfer_import(struct home_transfer *transfer, const struct account *account, const char *service,
                         struct error *err)
{
        cleanup_close int input = -EBADF, output = -EBADF;
        int r = make_socket(&transfer->data, &input, err);

        transfer->account = account;
        if (r >= 0)
                r = make_socket(&transfer->said, &output, err);
        if (r >= 0)
                r = live_session_open(account, service, IMPORT, &(struct live_streams){ input, output, output },
                                      &transfer->session, err);
        while (r >= 0 && !transfer->answered && !transfer->ended) {
                short ready;

                r = wait_for(transfer, 0, NULL, &ready, err);
        }
        return r < 0 || !transfer->ended ? r : judge(transfer, err);
}

struct piece {
        size_t start, end;
        bool last;
        char data[PIECE];
};

/* Once tar has seen the archive's end it need not read what is behind it. */
static int send_piece(struct home_transfer *transfer, struct piece *piece, struct error *err)
{
        ssize_t put = send(transfer->data, piece->data + piece->start, piece->end - piece->start,
                           MSG_DONTWAIT | MSG_NOSIGNAL);

        if (put < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (put < 0 && errno == EPIPE) {
                cleanup_close_fd(&transfer->data);
                return 0;
        }
        if (put < 0)
                return error_errno(err, errno, "cannot send the archive");
        piece->start += (size_t)put;
        progress_add(&transfer->progress, (uint64_t)put);
        return 0;
}

static int read_piece(struct home_transfer *transfer, struct piece *piece, int fd, struct error *err)
{
        ssize_t got = read(fd, piece->data, sizeof(piece->data));

        if (got < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : error_errno(err, errno, "cannot read the archive");
        piece->start = 0;
        piece->end = (size_t)got;
        piece->last = got == 0;
        if (piece->last)
                cleanup_close_fd(&transfer->data);
        return 0;
}

int home_transfer_give(struct home_transfer *transfer, int fd, struct error *err)
{
        cleanup_free struct piece *piece = calloc(1, sizeof(*piece));
        int r = piece == NULL ? error_errno(err, ENOMEM, "cannot send the archive") : 0;

        while (r >= 0 && !transfer->ended) {
                bool full = piece->start < piece->end;
                struct pollfd source = { .fd = full || transfer->data < 0 ? -1 : fd, .events = POLLIN };
                short ready = 0;

                r = wait_for(transfer, full && transfer->data >= 0 ? POLLOUT : 0, &source, &ready, err);
                if (r >= 0 && ready != 0)
                        r = send_piece(transfer, piece, err);
                else if (r >= 0 && source.revents != 0)
                        r = read_piece(transfer, piece, fd, err);
        }
        return r < 0 ? r : judge(transfer, err);
}

void home_transfer_done(struct home_transfer *transfer)
{
        live_session_close(&transfer->session);
        cleanup_close_fd(&transfer->data);
        cleanup_close_fd(&transfer->said);
}
