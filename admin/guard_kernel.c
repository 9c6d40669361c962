/*
 * guard_kernel.c - asks the kernel, without nft, whether the guard's table is there: an account can be added on a host
 * that has no nft. CAP_NET_ADMIN; may load the module nf_tables.
 */
#include "admin/guard.h"

#include "common/cleanup.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define TABLE_NAME "agentsh"

struct question {
        struct nlmsghdr header;
        struct nfgenmsg family;
        struct nlattr name;
        char text[sizeof(TABLE_NAME)];
};

static int open_netfilter(struct error *err)
{
        cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        struct timeval limit = { .tv_sec = 5 };

        if (fd < 0)
                return error_errno(err, errno, "cannot ask the kernel for its packet filter");
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
            connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
                return error_errno(err, errno, "cannot talk to the kernel's packet filter");
        return TAKE_FD(fd);
}

/* 0: the table is there; else the kernel's -errno. */
static int read_answer(int fd)
{
        union {
                struct nlmsghdr header;
                char space[4096];
        } answer;
        struct nlmsgerr error;
        ssize_t got = recv(fd, &answer, sizeof(answer), 0);

        if (got < 0)
                return -errno;
        if ((size_t)got < sizeof(answer.header))
                return -EBADMSG;
        if (answer.header.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
                return 0;
        if (answer.header.nlmsg_type != NLMSG_ERROR || (size_t)got < NLMSG_LENGTH(sizeof(error)))
                return -EBADMSG;
        memcpy(&error, NLMSG_DATA(&answer.header), sizeof(error));
        return error.error < 0 ? error.error : -EBADMSG;
}

int guard_is_loaded(bool *ret, struct error *err)
{
        struct question question = {
                .header = { .nlmsg_len = sizeof(question),
                            .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE,
                            .nlmsg_flags = NLM_F_REQUEST },
                .family = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 },
                .name = { .nla_len = sizeof(question.name) + sizeof(question.text), .nla_type = NFTA_TABLE_NAME },
                .text = TABLE_NAME,
        };
        struct error reason = ERROR_INIT;
        cleanup_close int fd = open_netfilter(&reason);
        int r;

        if (fd >= 0)
                r = send(fd, &question, sizeof(question), 0) < 0 ? -errno : read_answer(fd);
        else
                r = fd;
        /* -EINVAL, -EOPNOTSUPP: netfilter without nftables; -EPROTONOSUPPORT: no netfilter. */
        if (r == 0 || r == -ENOENT || r == -EINVAL || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT) {
                *ret = r == 0;
                return 0;
        }
        return error_errno(err, -r, "cannot ask the kernel whether the egress guard is loaded");
}
