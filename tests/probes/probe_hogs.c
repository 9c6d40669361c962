/*
 * probe_hogs - takes all that it can get of one kind of kernel object. Static; runs inside, and as a neighbour outside.
 *
 *   probe_hogs KIND COUNT [PATH] [hold]   takes COUNT of them (0: until the kernel refuses, or ENOUGH), prints
 *                                         "KIND=NUMBER ok" or "KIND=NUMBER ERRNO"; with `hold` it then waits, holding
 *                                         them; a single one that has a name is removed again
 *   probe_hogs list                       prints the kinds
 *
 * A refusal of the out-of-memory killer kills it before it can print anything: that is an answer, too.
 */
#include "probe/probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ENOUGH 100000L
#define MB     (1UL << 20)

/* The first that was made of a kind that outlives the process. */
static int first_segment = -1, first_set = -1, first_queue = -1;
static char queue_name[64], file_name[512], directory_name[512];

static void remove_first(void)
{
        if (first_segment >= 0)
                (void)shmctl(first_segment, IPC_RMID, NULL);
        if (first_set >= 0)
                (void)semctl(first_set, 0, IPC_RMID);
        if (first_queue >= 0)
                (void)msgctl(first_queue, IPC_RMID, NULL);
        if (queue_name[0] != '\0')
                (void)mq_unlink(queue_name);
        if (file_name[0] != '\0')
                (void)unlink(file_name);
        if (directory_name[0] != '\0')
                (void)rmdir(directory_name);
}

/* Each takes one more and returns -1, with errno, when it is refused. `n` counts from 0. */

static const char *directory = ".";

static long take_bytes(long n)
{
        static char block[MB];
        static int fd = -1;

        if (n == 0) {
                (void)snprintf(file_name, sizeof(file_name), "%s/hog-%d", directory, (int)getpid());
                fd = open(file_name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
                if (fd < 0)
                        return -1;
                memset(block, 'x', sizeof(block));
        }
        return write(fd, block, sizeof(block)) == (ssize_t)sizeof(block) ? 0
                                                                         : (errno = errno != 0 ? errno : ENOSPC, -1);
}

static long take_inodes(long n)
{
        char name[256];
        int fd;

        (void)snprintf(name, sizeof(name), "%s/hog-%d-%ld", directory, (int)getpid(), n);
        fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (n == 0)
                (void)snprintf(file_name, sizeof(file_name), "%s", name);
        return fd < 0 ? -1 : close(fd);
}

static long take_inotify(long n)
{
        (void)n;
        return inotify_init1(IN_CLOEXEC);
}

static long take_watches(long n)
{
        static int fd = -1;
        char name[256];

        if (n == 0 && (fd = inotify_init1(IN_CLOEXEC)) < 0)
                return -1;
        (void)snprintf(name, sizeof(name), "%s/watched-%d-%ld", directory, (int)getpid(), n);
        if (mkdir(name, 0700) < 0 && errno != EEXIST)
                return -1;
        if (n == 0)
                (void)snprintf(directory_name, sizeof(directory_name), "%s", name);
        return inotify_add_watch(fd, name, IN_CREATE);
}

/* Each epoll instance can watch each of 900 eventfds once. */
static long take_epoll(long n)
{
        static int events[400], epoll = -1;
        struct epoll_event event = { .events = EPOLLIN };

        if (n < 400 && (events[n] = eventfd(0, EFD_CLOEXEC)) < 0)
                return -1;
        if (n < 400)
                return 0;
        if (n % 400 == 0 && (epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
                return -1;
        return epoll_ctl(epoll, EPOLL_CTL_ADD, events[n % 400], &event);
}

static long take_pty(long n)
{
        (void)n;
        return posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static long take_mqueue(long n)
{
        struct mq_attr attributes = { .mq_maxmsg = 10, .mq_msgsize = 8192 };
        char name[64];

        (void)snprintf(name, sizeof(name), "/hog-%d-%ld", (int)getpid(), n);
        if (n == 0)
                (void)snprintf(queue_name, sizeof(queue_name), "%s", name);
        return mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
}

static long take_shm(long n)
{
        int id = shmget(IPC_PRIVATE, MB, IPC_CREAT | 0600);
        char *memory;

        first_segment = n == 0 ? id : first_segment;
        if (id < 0 || (memory = shmat(id, NULL, 0)) == (void *)-1)
                return -1;
        memset(memory, 1, MB);
        return shmdt(memory);
}

static long take_sem(long n)
{
        int id = semget(IPC_PRIVATE, 250, IPC_CREAT | 0600);

        first_set = n == 0 ? id : first_set;
        return id;
}

static long take_msg(long n)
{
        struct {
                long type;
                char text[8000];
        } message = { .type = 1 };
        int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

        first_queue = n == 0 ? id : first_queue;
        if (id < 0)
                return -1;
        while (msgsnd(id, &message, sizeof(message.text), IPC_NOWAIT) == 0)
                continue;
        return errno == EAGAIN ? 0 : -1;
}

static long take_key(long n)
{
        char name[32];

        (void)snprintf(name, sizeof(name), "hog-%ld", n);
        return syscall(SYS_add_key, "user", name, "x", 1UL, -2L);
}

static long take_pipe(long n)
{
        static char page[4096];
        int ends[2];

        (void)n;
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return -1;
        (void)fcntl(ends[1], F_SETPIPE_SZ, (int)MB);
        while (write(ends[1], page, sizeof(page)) > 0)
                continue;
        return errno == EAGAIN ? 0 : -1;
}

/* Descriptors that are in nobody's table, but on the way. */
static long take_flight(long n)
{
        static int pair[2] = { -1, -1 };
        union {
                char buffer[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = { 0 };
        static char byte = 'x';
        struct iovec part = { .iov_base = &byte, .iov_len = 1 };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        if (n % 200 == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -1;
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &pair[0], sizeof(int));
        return sendmsg(pair[1], &message, 0);
}

static long take_fd(long n)
{
        (void)n;
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static long take_memfd(long n)
{
        static char block[MB];
        int fd = memfd_create("hog", MFD_CLOEXEC);

        (void)n;
        memset(block, 'x', sizeof(block));
        return fd < 0 || write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) ? -1 : 0;
}

static long take_timer(long n)
{
        struct sigevent event = { .sigev_notify = SIGEV_NONE };
        timer_t timer;

        (void)n;
        return timer_create(CLOCK_MONOTONIC, &event, &timer);
}

static long take_locked(long n)
{
        void *memory = mmap(NULL, 64UL * 1024, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        (void)n;
        return memory == MAP_FAILED ? -1 : mlock(memory, 64UL * 1024);
}

static long take_signal(long n)
{
        if (n == 0) {
                sigset_t set;

                sigemptyset(&set);
                sigaddset(&set, SIGRTMIN);
                (void)sigprocmask(SIG_BLOCK, &set, NULL);
        }
        return sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 1 });
}

/* A page of 2 MiB from the pool that the administrator set aside, if there is one. */
static long take_huge(long n)
{
        char *memory = mmap(NULL, 2 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

        (void)n;
        if (memory == MAP_FAILED)
                return -1;
        memory[0] = 1;
        return 0;
}

static long take_huge_memfd(long n)
{
        int fd = memfd_create("hog", MFD_CLOEXEC | MFD_HUGETLB);
        char *memory;

        (void)n;
        if (fd < 0 || ftruncate(fd, 2 * (off_t)MB) < 0)
                return -1;
        memory = mmap(NULL, 2 * MB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
                return -1;
        memory[0] = 1;
        return 0;
}

static long take_huge_shm(long n)
{
        int id = shmget(IPC_PRIVATE, 2 * MB, IPC_CREAT | SHM_HUGETLB | 0600);
        char *memory;

        (void)n;
        if (id < 0 || (memory = shmat(id, NULL, 0)) == (void *)-1)
                return -1;
        memory[0] = 1;
        return 0;
}

static long fill(int from)
{
        static char block[16384];

        for (int i = 0; i < 4096; i++)
                if (send(from, block, sizeof(block), MSG_DONTWAIT) < 0)
                        return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
        return 0;
}

/* A socket on the loopback interface whose receive queue is full. */
static long take_udp(long n)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        static char block[16384];
        long r;

        (void)n;
        if (to < 0 || from < 0 || bind(to, (void *)&address, sizeof(address)) < 0 ||
            getsockname(to, (void *)&address, &size) < 0 || connect(from, (void *)&address, size) < 0)
                return -1;
        for (r = 0; r < 32; r++)
                (void)send(from, block, sizeof(block), MSG_DONTWAIT);
        return close(from);
}

/* A connection whose buffers are full at both ends. */
static long take_tcp(long n)
{
        static struct sockaddr_in address = { .sin_family = AF_INET };
        static int listener = -1;
        socklen_t size = sizeof(address);
        int from, to;

        if (n == 0) {
                address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                if (listener < 0 || bind(listener, (void *)&address, sizeof(address)) < 0 ||
                    listen(listener, 4096) < 0 || getsockname(listener, (void *)&address, &size) < 0)
                        return -1;
        }
        from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (from < 0 || connect(from, (void *)&address, sizeof(address)) < 0)
                return -1;
        /* Before that it belongs to nobody, and the kernel counts it for nobody. */
        to = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        return to < 0 ? -1 : fill(from);
}

/* A route socket with as many unread answers as it takes. */
static long take_netlink(long n)
{
        struct {
                uint32_t size;
                uint16_t type, flags;
                uint32_t sequence, pid;
                unsigned char family, rest[15];
        } request = { .size = sizeof(request), .type = 18 /* RTM_GETLINK */, .flags = 0x301 /* a request, a dump */ };
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);

        (void)n;
        if (fd < 0)
                return -1;
        for (int i = 0; i < 200; i++)
                if (send(fd, &request, sizeof(request), MSG_DONTWAIT) < 0)
                        break;
        return 0;
}

static const struct {
        const char *name;
        long (*take)(long n);
} kinds[] = {
        { "bytes", take_bytes },       { "inodes", take_inodes },
        { "inotify", take_inotify },   { "watches", take_watches },
        { "epoll", take_epoll },       { "pty", take_pty },
        { "mqueue", take_mqueue },     { "shm", take_shm },
        { "sem", take_sem },           { "msg", take_msg },
        { "key", take_key },           { "pipe", take_pipe },
        { "flight", take_flight },     { "fd", take_fd },
        { "memfd", take_memfd },       { "timer", take_timer },
        { "locked", take_locked },     { "signal", take_signal },
        { "huge", take_huge },         { "huge_memfd", take_huge_memfd },
        { "huge_shm", take_huge_shm }, { "udp", take_udp },
        { "tcp", take_tcp },           { "netlink", take_netlink },
};

static void run(const char *name, long (*take)(long n), long wanted)
{
        long got = 0;

        errno = 0;
        while (got < (wanted > 0 ? wanted : ENOUGH) && take(got) >= 0)
                got++;
        (void)printf("%s=%ld %s\n", name, got, got == (wanted > 0 ? wanted : ENOUGH) ? "ok" : strerrorname_np(errno));
        (void)fflush(stdout);
        if (wanted == 1)
                remove_first();
}

int main(int argc, char **argv)
{
        bool hold = argc > 1 && strcmp(argv[argc - 1], "hold") == 0;

        if (argc > 3 + hold)
                directory = argv[3];
        for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                if (strcmp(argv[1], "list") == 0)
                        (void)printf("%s\n", kinds[i].name);
                else if (strcmp(argv[1], kinds[i].name) == 0)
                        run(kinds[i].name, kinds[i].take, argc > 2 ? strtol(argv[2], NULL, 10) : 0);
        }
        while (hold)
                (void)pause();
        return 0;
}
