"""agentshctl doctor finds each thing that is broken on purpose, and says how to repair it."""
import json
import os
import pathlib
import re
import shlex

import host
import pytest
from need import need_program
from private_ctl import PREFIX, in_private_mounts


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "id"
    host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, check=True)
    return path


def findings(tool, status=1):
    found = tool.json("doctor", status=status)
    for one in found["findings"]:
        assert set(one) == {"severity", "check", "account", "text", "remedy"}
    return found["findings"]


def bad_texts(tool, check):
    return [f"{one['text']} -> {one['remedy']}" for one in findings(tool)
            if one["severity"] in ("bad", "warning") and one["check"] == check]


def test_doctor_on_a_good_account(tool, key):
    tool("account", "add", f"{PREFIX}01", "--key", f"{key}.pub")
    about = [one for one in findings(tool) if f"{PREFIX}01" in one["text"] and one["check"] != "sshd"]
    assert about and all(one["severity"] == "ok" for one in about), about
    assert "remedy: " in tool("doctor", status=1).stdout


def breakages(tool, name):
    home, data = f"/home/{name}", tool.state / "homes" / name
    ini = tool.config / "accounts" / f"{name}.ini"
    keys = tool.config / "keys" / name
    return {
        "writable home": (lambda: os.chown(home, 12345, 0), "files", "belongs to uid"),
        "home with content": (lambda: pathlib.Path(home, ".bashrc").write_text(""), "files", "not empty"),
        "home is a link": (lambda: (os.rmdir(home), os.symlink("/tmp", home)), "files", "cannot be used"),
        "data home open": (lambda: data.chmod(0o755), "files", "mode 0700"),
        "data home of another": (lambda: os.chown(data, 0, 0), "files", "must be a directory"),
        "homes open": (lambda: (tool.state / "homes").chmod(0o711), "files", "0700"),
        "keys of the agent": (lambda: os.chown(keys, 12345, 0), "files", "belongs to uid"),
        "bad policy": (lambda: ini.write_text("[x]\n"), "accounts", "not valid"),
        "no policy": (ini.unlink, "accounts", "not valid"),
        "policy with a warning": (lambda: ini.write_text("[limits]\nsession_time = 1h\nidle_time = 2h\n"), "accounts",
                                  "never reached"),
        "policy of another": (lambda: os.chown(ini, 12345, 0), "accounts", "not valid"),
        "not in the group": (lambda: host.run("gpasswd", "-d", name, "agents", check=True), "accounts",
                             "not in the group"),
        "another shell": (lambda: host.run("usermod", "-s", "/bin/bash", name, check=True), "accounts",
                          "not confined"),
        "policy and another shell": (lambda: host.run("usermod", "-s", "/bin/bash", name, check=True), "accounts",
                                     "every login of it is refused"),
        "password": (lambda: host.run("usermod", "-p", "$6$x$y", name, check=True), "accounts", "has a password"),
        "empty password": (lambda: host.run("usermod", "-p", "", name, check=True), "accounts", "empty password"),
        "no subuids": (lambda: (host.run("usermod", "-V", "0-4294967294", name), host.run(
            "sed", "-i", f"/^{name}:/d", "/etc/subuid", "/etc/subgid"), ini.write_text("[kernel]\nfake_root = yes\n")),
            "accounts", "/etc/subuid"),
        "setuid shell": (lambda: tool.shell.chmod(0o4755), "files", "setuid"),
        "writable shell": (lambda: tool.shell.chmod(0o777), "files", "writable"),
    }


BREAKAGES = ["policy with a warning",
             "writable home", "home with content", "home is a link", "data home open", "data home of another",
             "homes open", "keys of the agent", "bad policy", "no policy", "policy of another", "not in the group",
             "another shell", "policy and another shell", "password", "empty password", "no subuids", "setuid shell",
             "writable shell"]


# No command can know what a policy should say.
BY_HAND = {"bad policy", "policy with a warning", "policy of another"}


def repair(remedy):
    """Run a remedy as it is printed, up to its alternatives."""
    command = re.split(r", or: |, then|; or ", remedy)[0]
    done = host.run("sh", "-ec", command, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.mark.parametrize("what", BREAKAGES)
def test_doctor_finds(tool, key, what):
    name = f"{PREFIX}01"
    tool("account", "add", name, "--key", f"{key}.pub")
    break_it, check, said = breakages(tool, name)[what]
    try:
        break_it()
        matching = [text for text in bad_texts(tool, check) if said in text]
        assert matching, bad_texts(tool, check)
        assert all(" -> None" not in text for text in matching)
        if what in BY_HAND:
            return
        repair(matching[0].split(" -> ", 1)[1])
        assert [text for text in bad_texts(tool, check) if said in text] == []
    finally:
        tool.shell.chmod(0o755)
        for path in (f"/home/{name}", f"/home/{name}.old"):
            if os.path.islink(path):
                os.unlink(path)


def test_accounts_at_a_glance(tool, key):
    names = [f"{PREFIX}0{number}" for number in (1, 2, 3)]
    for name in names:
        tool("account", "add", name, "--key", f"{key}.pub")
    (tool.config / f"accounts/{names[1]}.ini").write_text("[account]\ntier = chroot\nservices = su\n"
                                                           "[kernel]\nseccomp = strict\n")
    (tool.config / f"accounts/{names[2]}.ini").write_text("[x]\n")
    host.run("usermod", "-p", "$6$x$y", names[1], check=True)
    rows = {line.split()[0]: line.split() for line in tool("doctor", status=1).stdout.splitlines() if PREFIX in line
            and line.startswith(PREFIX)}
    assert rows[names[0]][1:4] == ["jail", "default", "none"]
    assert rows[names[1]][1:5] == ["chroot", "strict", "none", "su"] and "accounts" in rows[names[1]]
    assert rows[names[2]][1:5] == ["-", "-", "-", "refused"] and "OPEN:" in rows[names[2]]
    found = {one["account"]: one for one in tool.json("doctor", status=1)["accounts"]}
    assert found[names[0]]["tier"] == "jail" and found[names[1]]["services"] == "su"
    assert not found[names[2]]["valid"] and found[names[2]]["bad"] > 0 and found[names[1]]["warnings"] > 0
    # What sshd's configuration leaves open is told once and counts for each of them.
    if host.have("sshd"):
        assert found[names[1]]["bad"] == found[names[0]]["bad"]


def in_mounts(tool, mounts, said, repaired=True):
    """The finding that speaks of `said`, in a world of its own mounts; and the remedy as printed, tried in there."""
    pick = ("import json, re, sys; print(next((re.split(', or: |, then|; or ', one['remedy'])[0] for one in "
            "json.load(open(sys.argv[1]))['findings'] if sys.argv[2] in one['text']), ''))")
    script = (f"{mounts}\n{tool.program} doctor --json >{tool.root}/1 || true\n"
              f"command=$(python3 -c {shlex.quote(pick)} {tool.root}/1 {shlex.quote(said)})\n"
              f"sh -ec \"$command\" >&2; {tool.program} doctor --json >{tool.root}/2 || true")
    done = host.run("unshare", "-m", "--propagation", "private", "sh", "-ec", script)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tool.root / number).read_text())["findings"] for number in "12")
    matching = [one for one in first if said in one["text"]]
    assert matching and matching[0]["severity"] != "ok" and matching[0]["remedy"], first
    assert [one for one in second if said in one["text"] and one["severity"] != "ok"] == [] or not repaired
    return matching[0]


@pytest.mark.parametrize("name,value,said", [
    ("user/max_user_namespaces", "0", "user namespaces are off"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor restricts"),
    ("kernel/unprivileged_bpf_disabled", "0", "kernel.unprivileged_bpf_disabled is 0"),
    ("dev/tty/legacy_tiocsti", "1", "dev.tty.legacy_tiocsti is 1"),
    ("kernel/core_pattern", "|/usr/share/crash %p", "kernel.core_pattern is"),
])
def test_kernel_switches(tool, name, value, said):
    need_program("sysctl", "procps")
    directory = os.path.dirname(name)
    mounts = (f"rm -rf {tool.root}/sys; mkdir -p {tool.root}/sys/seccomp\n"
              f"touch {tool.root}/sys/seccomp/actions_avail\n"
              f"echo '{value}' >{tool.root}/sys/{os.path.basename(name)}\n"
              f"mount --bind {tool.root}/sys /proc/sys/{directory}")
    in_mounts(tool, mounts, said)


def test_nested_needs_what_apparmor_restricts(tool):
    tool("account", "add", f"{PREFIX}01")
    (tool.config / f"accounts/{PREFIX}01.ini").write_text("[kernel]\nnested = yes\n")
    mounts = (f"rm -rf {tool.root}/sys; mkdir {tool.root}/sys\n"
              f"echo 1 >{tool.root}/sys/apparmor_restrict_unprivileged_userns\n"
              f"mount --bind {tool.root}/sys /proc/sys/kernel")
    assert in_mounts(tool, mounts, "AppArmor restricts")["severity"] == "warning"


@pytest.mark.parametrize("directory,file,said", [
    ("/var/spool/cron/crontabs", f"{PREFIX}01", "has a crontab"),
    ("/var/lib/systemd/linger", f"{PREFIX}01", "has lingering enabled"),
    ("/var/spool/cron/atjobs", "a0000101a2b3c4", "has a job of at"),
])
def test_jobs(tool, directory, file, said):
    tool("account", "add", f"{PREFIX}01")
    top = "/".join(directory.split("/")[:4])
    mounts = (f"mkdir -p {top}; mount -t tmpfs none {top}; mkdir -p {directory}; touch {directory}/{file}\n"
              f"chown {PREFIX}01 {directory}/{file}")
    made = [path for path in (top,) if not os.path.isdir(path)]
    try:
        assert in_mounts(tool, mounts, said)["account"] == f"{PREFIX}01"
    finally:
        for path in made:
            os.rmdir(path)


def test_directories_of_root(tool):
    (tool.config / "keys").mkdir(exist_ok=True)
    (tool.config / "keys").chmod(0o777)
    in_mounts(tool, "", "keys must be a directory of root's")


def test_limit_that_the_host_cannot_set(tool):
    """The monitor says what it cannot do; doctor says whose logins that refuses."""
    for number, text in (("1", ""), ("2", "[limits]\nio_write = 1M\n")):
        tool("account", "add", f"{PREFIX}0{number}")
        (tool.config / f"accounts/{PREFIX}0{number}.ini").write_text(text)
    monitor = tool.root / "usr/lib/agentsh/agentsh-monitor"
    monitor.parent.mkdir(parents=True, exist_ok=True)
    monitor.write_text("#!/bin/sh\nprintf 'ok\\tcgroup driver\\tv1\\n'\n"
                       "printf 'note\\tcgroup io_write\\tthere is no such thing\\n'\n")
    monitor.chmod(0o755)
    try:
        about = [one for one in findings(tool) if "there is no such thing" in one["text"] and one["severity"] == "bad"]
        assert [one["account"] for one in about] == [f"{PREFIX}02"] and f"{PREFIX}02.ini" in about[0]["remedy"]
    finally:
        monitor.unlink()


def test_nested_is_told(tool):
    tool("account", "add", f"{PREFIX}01")
    (tool.config / f"accounts/{PREFIX}01.ini").write_text("[kernel]\nnested = yes\n")
    assert any("nested = yes" in one["text"] and one["severity"] == "note" for one in findings(tool)
               if one["account"] == f"{PREFIX}01")


def with_mounts(tool, mounts):
    done = in_private_mounts(tool, mounts, "doctor", "--json")
    return [one for one in json.loads(done.stdout)["findings"]]


def test_doctor_finds_the_shell_in_etc_shells(tool):
    found = with_mounts(tool, f"cat /etc/shells >{tool.root}/shells; echo {tool.shell} >>{tool.root}/shells\n"
                              f"mount --bind {tool.root}/shells /etc/shells")
    assert any(one["severity"] == "bad" and "/etc/shells lists" in one["text"] for one in found)


def pam_mounts(tool, edit):
    return f"""rm -rf {tool.root}/pam.d; cp -a /etc/pam.d {tool.root}/pam.d
        cd {tool.root}/pam.d
        for f in common-account common-session common-session-noninteractive; do
            sed -i '/pam_agentsh/d' $f; kind=${{f#common-}}; kind=${{kind%-noninteractive}}
            sed -i "0,/^$kind/s/^$kind/$kind required pam_agentsh.so\\n&/" $f
        done
        {edit}
        cd /
        mount --bind {tool.root}/pam.d /etc/pam.d"""


@pytest.mark.skipif(not os.path.exists("/etc/pam.d/common-session-noninteractive"), reason="not Debian's PAM layout")
@pytest.mark.parametrize("edit,service,said", [
    ("", None, None),
    ("sed -i 's/required pam_agentsh/optional pam_agentsh/' common-session", "sshd", "optional"),
    ("sed -i '1i session sufficient pam_permit.so' su", "su", "skip"),
    ("sed -i '/agentsh/d' common-session-noninteractive", "cron", "not in the stack"),
    ("sed -i '/agentsh/d' common-account", "login", "not in the stack"),
    ("sed -i '1i session [success=2 default=ignore] pam_permit.so' common-session", "su", "skip"),
], ids=["good", "optional", "sufficient before", "cron", "account", "jump"])
def test_doctor_and_pam(tool, edit, service, said):
    found = [one for one in with_mounts(tool, pam_mounts(tool, edit))
             if one["check"] == "pam" and "is not installed" not in one["text"]]
    bad = [one for one in found if one["severity"] == "bad"]
    if service is None:
        assert not bad and any("sshd asks" in one["text"] for one in found), bad
    else:
        assert any(f"service {service} " in one["text"] and said in one["text"] for one in bad), bad


def test_user_environment(tool):
    edit = "sed -i '/user_readenv/d' *; echo 'session required pam_env.so envfile=/etc/x user_readenv=1' >>su"
    said = "the service su reads ~/.pam_environment"
    found = in_mounts(tool, pam_mounts(tool, edit), said)
    assert found["severity"] == "warning" and "at su:" in found["text"]


@pytest.mark.skipif(not host.have("sshd"), reason="there is no sshd")
def test_doctor_and_sshd(tool):
    tool("account", "add", f"{PREFIX}01")
    tool("account", "add", f"{PREFIX}02")
    prepare = "mkdir -p /run/sshd"
    sloppy = f"""{prepare}; printf 'UsePAM yes\\nX11Forwarding yes\\nSubsystem sftp internal-sftp\\nAcceptEnv *\\n' \
        >{tool.root}/sshd_config; mount --bind {tool.root}/sshd_config /etc/ssh/sshd_config"""
    found = [one for one in with_mounts(tool, sloppy) if one["check"] == "sshd"]
    text = "\n".join(one["text"] for one in found if one["severity"] == "bad")
    for word in ("X11Forwarding", "DisableForwarding", "AllowTcpForwarding", "PermitOpen", "internal-sftp",
                 "AcceptEnv *", "AuthorizedKeysFile", "PermitUserRC"):
        assert word in text
    assert "UsePAM" not in text and f"{PREFIX}01 and 1 more" in text
    assert sum("X11Forwarding" in one["text"] for one in found) == 1
    good = f"""{prepare}; cat >{tool.root}/sshd_config <<END
UsePAM yes
StrictModes yes
PermitUserEnvironment no
Subsystem sftp /usr/lib/openssh/sftp-server
Match Group agents
    AuthenticationMethods publickey
    AuthorizedKeysFile {tool.config}/keys/%u
    AuthorizedKeysCommand none
    DisableForwarding yes
    AllowTcpForwarding no
    AllowStreamLocalForwarding no
    AllowAgentForwarding no
    X11Forwarding no
    PermitTunnel no
    GatewayPorts no
    PermitOpen none
    PermitListen none
    PermitUserRC no
    AcceptEnv AGENTSH_NONE
    ExposeAuthInfo no
    ChrootDirectory none
END
mount --bind {tool.root}/sshd_config /etc/ssh/sshd_config"""
    found = [one for one in with_mounts(tool, good) if one["check"] == "sshd"]
    assert [one["severity"] for one in found] == ["ok"], found
    broken = f"{prepare}; echo Nonsense >{tool.root}/c; mount --bind {tool.root}/c /etc/ssh/sshd_config"
    found = [one for one in with_mounts(tool, broken) if one["check"] == "sshd"]
    assert [one["severity"] for one in found] == ["bad"] and "sshd -T fails" in found[0]["text"], found
