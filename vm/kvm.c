/*
 * kvm.c - how fast KVM is here: a loop of a few hundred thousand instructions in a machine of one page, against the
 * clock. Nested and paravirtual KVMs exist that take microseconds for each.
 */
#include "vm/host.h"

#include "common/cleanup.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define ITERATIONS 200000U
#define LIMIT_NS   20000000LL
#define NS_EACH    50
#define PAGE       4096U
#define DEVICE     "/dev/kvm"

/* Real mode: mov ecx, ITERATIONS; loop: dec ecx; jnz loop; hlt. */
static const unsigned char CODE[] = {
        0x66,
        0xb9,
        ITERATIONS & 0xff,
        ITERATIONS >> 8 & 0xff,
        ITERATIONS >> 16 & 0xff,
        ITERATIONS >> 24,
        0x66,
        0x49,
        0x75,
        0xfc,
        0xf4,
};

struct machine {
        int vm, cpu;
        unsigned char *memory;
        struct kvm_run *run;
        size_t run_size;
};

static void machine_done(struct machine *machine)
{
        if (machine->run != NULL)
                (void)munmap(machine->run, machine->run_size);
        cleanup_close_fd(&machine->cpu);
        cleanup_close_fd(&machine->vm);
        if (machine->memory != NULL)
                (void)munmap(machine->memory, PAGE);
}

static void *map(size_t size, int flags, int fd)
{
        void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

        return at == MAP_FAILED ? NULL : at;
}

static int make_machine(int kvm, struct machine *machine, struct error *err)
{
        struct kvm_userspace_memory_region region = { .memory_size = PAGE };
        struct kvm_regs registers = { .rflags = 2 };
        struct kvm_sregs special;
        int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

        machine->vm = ioctl(kvm, KVM_CREATE_VM, 0);
        machine->memory = map(PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        if (machine->vm < 0 || machine->memory == NULL || size < (int)sizeof(struct kvm_run))
                return error_errno(err, errno, "KVM cannot make a machine");
        memcpy(machine->memory, CODE, sizeof(CODE));
        region.userspace_addr = (uint64_t)(uintptr_t)machine->memory;
        if (ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
                return error_errno(err, errno, "KVM cannot give a machine memory");
        machine->cpu = ioctl(machine->vm, KVM_CREATE_VCPU, 0);
        machine->run_size = (size_t)size;
        machine->run = machine->cpu < 0 ? NULL : map(machine->run_size, MAP_SHARED, machine->cpu);
        if (machine->run == NULL || ioctl(machine->cpu, KVM_GET_SREGS, &special) < 0)
                return error_errno(err, errno, "KVM cannot make a processor");
        special.cs.base = 0;
        special.cs.selector = 0;
        if (ioctl(machine->cpu, KVM_SET_SREGS, &special) < 0 || ioctl(machine->cpu, KVM_SET_REGS, &registers) < 0)
                return error_errno(err, errno, "KVM cannot set a processor up");
        return 0;
}

/* The timer's signal interrupts KVM_RUN; its handler does nothing. */
static void interrupted(int number)
{
        (void)number;
}

static int run_limited(struct machine *machine, int *ret_number)
{
        const struct sigaction action = { .sa_handler = interrupted };
        struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
        const struct itimerspec limit = { .it_value = { .tv_nsec = LIMIT_NS } };
        struct sigaction before;
        timer_t timer;
        int r;

        if (sigaction(SIGALRM, &action, &before) < 0)
                return -errno;
        if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0) {
                *ret_number = errno;
                (void)sigaction(SIGALRM, &before, NULL);
                return -*ret_number;
        }
        r = timer_settime(timer, 0, &limit, NULL) < 0 ? -1 : ioctl(machine->cpu, KVM_RUN, 0);
        *ret_number = r < 0 ? errno : 0;
        (void)timer_delete(timer);
        (void)sigaction(SIGALRM, &before, NULL);
        return r;
}

static int64_t now_ns(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int vm_kvm_probe(struct error *err)
{
        struct machine machine = { .vm = -EBADF, .cpu = -EBADF };
        cleanup_close int kvm = open(DEVICE, O_RDWR | O_CLOEXEC);
        int64_t start, taken;
        int r, number = 0;

        if (kvm < 0)
                return error_errno(err, errno, "cannot use " DEVICE);
        r = make_machine(kvm, &machine, err);
        if (r >= 0) {
                start = now_ns();
                r = run_limited(&machine, &number);
                taken = now_ns() - start;
                if (r < 0 && number != EINTR)
                        r = error_errno(err, number, "KVM does not run");
                else if (r < 0 || machine.run->exit_reason != KVM_EXIT_HLT || taken > (int64_t)ITERATIONS * NS_EACH)
                        r = error_text(err, ENODEV,
                                       "KVM is too slow here: emulated, or nested without help of the "
                                       "processor");
        }
        machine_done(&machine);
        return r;
}
