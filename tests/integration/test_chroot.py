"""The tier chroot: the walls of the jail but for the user namespace."""
import os

import host
import probes
from sshd import environment


# What a user namespace shows of itself: of all that is checked in a jail, this alone is different.
OF_JAIL = ("the user namespace is the host's", "uid_map is", "gid_map is", "setgroups is not denied",
           "max_user_namespaces is")


class TestChroot:
    def test_walls(self, make_agent):
        agent = make_agent({"account": {"tier": "chroot"}})
        facts = probes.collect(agent)
        found = [violation for violation in probes.violations(facts, agent) if not violation.startswith(OF_JAIL)]
        assert not found, "\n".join(found)
        assert facts["ns_user"] == [os.readlink("/proc/self/ns/user")]
        assert facts["setuid 0"] == ["EPERM"] and facts["setgid 0"] == ["EPERM"]

    def test_strict(self, make_agent):
        agent = make_agent({"account": {"tier": "chroot"}, "kernel": {"seccomp": "strict"}})
        done = host.run("su", "-", agent.name, "-c", "git init -q r && python3 -c 'print(6 * 7)'; exit 3",
                        env=environment())
        assert done.stdout.split() == ["42"] and done.returncode == 3, done.stderr
