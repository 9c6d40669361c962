/* test_jail_programs.c - real programs at work in a jail, under each kind of policy. Root. */
#include "common/cleanup.h"
#include "tests/lib/jail_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct jail_lab lab;

static void open_lab(void)
{
        struct error err = ERROR_INIT;

        jail_lab_need_root();
        if (jail_lab_open(&lab, &err) < 0)
                fail_msg("%s", err.text);
}

static void start(void)
{
        struct error err = ERROR_INIT;

        if (jail_lab_start(&lab, &err) < 0)
                fail_msg("%s", err.text);
}

static int close_lab(void **state)
{
        (void)state;
        if (lab.directory[0] != '\0')
                jail_lab_close(&lab);
        memset(&lab, 0, sizeof(lab));
        return 0;
}

static char *run_probe(const char *name, const char *first, const char *second)
{
        char problem[512] = "";
        char *text = jail_facts_probe(&lab, name, first, second, problem, sizeof(problem));

        if (text == NULL)
                fail_msg("%s", problem);
        return text;
}

static void assert_fact(const char *text, const char *key, const char *wanted)
{
        char value[512];

        jail_lab_fact(text, key, value, sizeof(value));
        if (strcmp(value, wanted) != 0)
                fail_msg("%s is \"%s\", not \"%s\"", key, value, wanted);
}

/* Run `script` by bash inside and expect that its last line is "good". */
static void run_script(const char *what, const char *script)
{
        const char *const arguments[] = { "/bin/bash", "-c", script, NULL };
        struct error err = ERROR_INIT;
        cleanup_free char *text = NULL;
        size_t length;
        int status;

        if (jail_lab_capture(&lab, NULL, arguments, &status, &text, &err) < 0)
                fail_msg("%s: %s", what, err.text);
        length = strlen(text);
        if (status != 0 || length < 5 || strcmp(text + length - 5, "good\n") != 0)
                fail_msg("%s: status 0x%x\n%s", what, (unsigned)status, text);
}

static bool on_host(const char *program)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/usr/bin/%s", program);
        if (access(path, X_OK) == 0)
                return true;
        print_message("skipped: the host has no %s\n", path);
        return false;
}

static const struct {
        const char *program, *script;
} programs[] = {
        { "bash", "set -e; echo hello > ~/f; [ \"$(cat ~/f)\" = hello ]; [ \"$(id -un)\" = agent-lab ];"
                  "echo x > /tmp/t; echo y > /dev/shm/s; echo z > /dev/null; echo good > /dev/stdout" },
        { "python3", "python3 -c 'import threading, ssl, socket, subprocess, multiprocessing as m\n"
                     "t = [threading.Thread(target=lambda: sum(range(10000))) for i in range(20)]\n"
                     "[x.start() for x in t]; [x.join() for x in t]\n"
                     "s = socket.create_server((\"127.0.0.1\", 0)); c = socket.create_connection(s.getsockname())\n"
                     "with m.Pool(2) as p: assert p.map(abs, [-1, -2]) == [1, 2]\n"
                     "assert subprocess.run([\"true\"]).returncode == 0; print(\"good\")'" },
        { "git", "set -e; git init -q ~/r; cd ~/r; git -c user.name=a -c user.email=a@b commit -q --allow-empty "
                 "-m x; git clone -q ~/r ~/s; git -C ~/s log --oneline | grep -q x; echo good" },
        { "gcc", "set -e; cd ~; echo 'int puts(const char *); int main(void){puts(\"good\");}' > a.c; "
                 "gcc -O2 -o a a.c; ./a" },
        { "node", "node -e 'const{Worker}=require(\"worker_threads\");"
                  "new Worker(\"process.exit(0)\",{eval:true}).on(\"exit\",()=>console.log(\"good\"))'" },
        { "perl", "perl -e 'use POSIX; print \"good\\n\" if fork() == 0; wait'" },
        { "strace", "strace -f -o /dev/null true && echo good" },
        { "script", "script -qec 'tty' /dev/null | grep -q /dev/pts/ && echo good" },
        { "make", "set -e; mkdir -p ~/m; cd ~/m; printf 'all: a b\\n\\techo good\\na b:\\n\\tsleep 0.1; touch $@\\n' > "
                  "Makefile; "
                  "make -j4 -s >&2; [ -f a ] && [ -f b ]; echo good" },
        { "sort",
          "set -e; cd ~; mkdir -p c; seq 50000 | sort -R | sort -n --parallel=2 -S 1M | tail -n1 | grep -qx 50000; "
          "cp -a c d2; touch -d yesterday c; chmod 700 c; ln -s c l; readlink -f l >&2; mv c e; rm -r e l; "
          "mkfifo p; (echo x > p &); cat p >&2; install -m 755 /usr/bin/id i; ./i >&2; dd if=/dev/zero of=z "
          "bs=64K count=4 status=none; truncate -s 1M z; stat z >&2; df . >&2; timeout 5 true; nice true; "
          "nproc >&2; ls -la --time-style=full-iso >&2; du -s . >&2; split -b 100K z; wc -c x?? >&2; sync z; "
          "date >&2; uname -a >&2; echo a | tee t1 t2 >&2; cmp t1 t2; shred -u t1; echo good" },
        { "ssh", "ssh -G localhost >/dev/null && echo good" },
        { "tar", "set -e; cd ~; mkdir d; echo a > d/a; tar cf d.tar d; rm -r d; tar xf d.tar; cat d/a >&2; "
                 "echo good" },
};

/* Each tier with each kind of filter but those for other tests. */
static struct combination {
        enum policy_tier tier;
        enum policy_seccomp seccomp;
} combinations[] = {
        { TIER_JAIL, SECCOMP_DEFAULT },
        { TIER_JAIL, SECCOMP_STRICT },
        { TIER_CHROOT, SECCOMP_DEFAULT },
        { TIER_CHROOT, SECCOMP_STRICT },
};

static void programs_work(void **state)
{
        /* Of the others, each needs a call that strict lacks on purpose. */
        static const char *const strict[] = {
                "bash", "python3", "git", "gcc", "make", "perl", "script", "tar", "sort"
        };
        const struct combination *combination = *state;

        open_lab();
        lab.policy.file_size = 0;
        lab.policy.tier = combination->tier;
        lab.policy.seccomp = combination->seccomp;
        start();
        for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
                bool wanted = combination->seccomp == SECCOMP_DEFAULT;

                for (size_t j = 0; !wanted && j < sizeof(strict) / sizeof(strict[0]); j++)
                        wanted = strcmp(programs[i].program, strict[j]) == 0;
                if (wanted && on_host(programs[i].program))
                        run_script(programs[i].program, programs[i].script);
        }
        if (combination->seccomp == SECCOMP_STRICT && on_host("strace"))
                run_script("strace", "! strace true 2>/dev/null && echo good");
}

static void home_persists_or_not(void **state)
{
        char path[256];
        struct stat st;
        struct error err = ERROR_INIT;

        (void)state;
        open_lab();
        start();
        run_script("write", "echo 1 > ~/kept; echo 2 > /tmp/lost; cp /usr/bin/id ~/id; chmod u+s,g+s ~/id; echo good");
        (void)snprintf(path, sizeof(path), "%s/" JAIL_LAB_ACCOUNT "/kept", lab.homes);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_uid, JAIL_LAB_UID);
        assert_int_equal(jail_lab_stop(&lab, &err), 0);
        start();
        run_script("read", "[ -f ~/kept ] && [ ! -e /tmp/lost ] && echo good");
        assert_int_equal(jail_lab_stop(&lab, &err), 0);
        lab.policy.home_mode = HOME_EPHEMERAL;
        start();
        run_script("ephemeral", "set -e; [ ! -e ~/kept ]; touch ~/new; [ $(stat -c %a ~) = 700 ]; [ -O ~ ]; echo good");
        /* Bounded in bytes and in inodes, as every tmpfs. */
        run_script("bounds",
                   "head -c 70M /dev/zero > ~/big 2>/dev/null && exit 1; rm ~/big; "
                   "head -c 70M /dev/zero > /tmp/big 2>/dev/null && exit 1; rm /tmp/big; cd /tmp; "
                   "for d in /tmp /var/tmp /dev/shm /run ~; do [ $(stat -f -c %c $d) -le 16384 ] || exit 1; done; "
                   "echo good");
}

static void fake_root_is_only_a_name(void **state)
{
        static const struct {
                const char *key, *value;
        } facts[] = {
                { "uids", "0 0 0" },
                { "gids", "0 0 0" },
                { "CapPrm", "00000000000000db" },
                { "CapEff", "00000000000000db" },
                { "CapBnd", "00000000000000db" },
                { "CapInh", "0000000000000000" },
                { "CapAmb", "0000000000000000" },
                { "NoNewPrivs", "1" },
                { "Seccomp", "2" },
                { "setgroups", "allow" },
        };
        cleanup_free char *text = NULL, *escapes = NULL;
        char path[256];
        struct stat st;

        (void)state;
        open_lab();
        lab.policy.fake_root = true;
        start();
        text = run_probe("probe_identity", NULL, NULL);
        for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
                assert_fact(text, facts[i].key, facts[i].value);
        run_script("chown", "set -e; touch ~/mine ~/theirs; chown 1000:1000 ~/theirs; [ $(id -un) = root ]; "
                            "[ \"$(getent passwd root | cut -d: -f6)\" = " JAIL_LAB_HOME " ]; echo good");
        run_script("no power", "exec 2>/dev/null; mount -t tmpfs x /mnt && exit 1; hostname x && exit 1; "
                               "mknod /tmp/n c 1 3 && exit 1; chown 0 /usr && exit 1; touch /etc/x && exit 1; "
                               "kill -9 1; ip link add d0 type dummy && exit 1; echo good");
        (void)snprintf(path, sizeof(path), "%s/" JAIL_LAB_ACCOUNT "/mine", lab.homes);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_uid, JAIL_LAB_UID);
        (void)snprintf(path, sizeof(path), "%s/" JAIL_LAB_ACCOUNT "/theirs", lab.homes);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_uid, JAIL_LAB_SUBID + 999);
        escapes = run_probe("probe_escape", NULL, NULL);
        assert_fact(escapes, "unshare newuser", "EPERM");
        assert_fact(escapes, "write /proc/1/exe", "EACCES");
        assert_fact(escapes, "write /proc/1/mem", "EACCES");
        assert_fact(escapes, "write /proc/sys/user/max_user_namespaces", "EACCES");
}

static void nested_may_nest(void **state)
{
        (void)state;
        open_lab();
        lab.policy.nested = true;
        start();
        if (on_host("unshare"))
                run_script("unshare", "[ \"$(unshare -Urpmf --mount-proc id -u)\" = 0 ] && echo good");
        if (on_host("bwrap"))
                run_script("bwrap", "bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev true && echo good");
        /* The jail's own mounts stay as they are, seen from a namespace inside it. */
        run_script("locked", "unshare -Urm sh -c 'mount -o remount,bind,rw /usr 2>/dev/null && exit 1; "
                             "umount " JAIL_LAB_HOME " 2>/dev/null && exit 1; "
                             "hostname x 2>/dev/null && exit 1; exit 0' && echo good");
        run_script("proc", "echo 1 > /proc/sys/kernel/sysrq 2>/dev/null && exit 1; "
                           "head -c1 /proc/kcore 2>/dev/null && exit 1; echo good");
}

#define INSIDE(test) cmocka_unit_test_teardown(test, close_lab)
#define WORK(name, combination)                                                      \
        {                                                                            \
                "programs_work, " name, programs_work, NULL, close_lab, &combination \
        }

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORK("jail, default", combinations[0]),
                WORK("jail, strict", combinations[1]),
                WORK("chroot, default", combinations[2]),
                WORK("chroot, strict", combinations[3]),
                INSIDE(home_persists_or_not),
                INSIDE(fake_root_is_only_a_name),
                INSIDE(nested_may_nest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
