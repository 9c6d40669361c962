/* vm_uid.h - the uid of what runs for a virtual machine on the host: that of no account, and of no other session. */
#ifndef AGENTSH_MONITOR_VM_UID_H
#define AGENTSH_MONITOR_VM_UID_H

#include <sys/types.h>
#include <unistd.h>

/* Above the ranges that systemd, Debian and shadow give out; pids have at most 22 bits. */
#define VM_UID_FIRST 0x70000000U

/* This and the calling process's pid, which no other session has while it lives. */
static inline uid_t vm_uid(void)
{
        return VM_UID_FIRST + (uid_t)getpid();
}

#endif
