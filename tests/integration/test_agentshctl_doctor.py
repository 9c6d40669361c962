"""agentshctl doctor finds each thing that is broken on purpose, and says how to repair it."""
import json
import os
import pathlib

import host
import private_ctl
import pytest
from private_ctl import PREFIX, in_private_mounts


@pytest.fixture(scope="module")
def built():
    with private_ctl.build() as tool:
        yield tool


@pytest.fixture
def tool(built):
    with private_ctl.clean(built) as clean:
        yield clean


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "id"
    host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, check=True)
    return path


def findings(tool, status=1):
    found = tool.json("doctor", status=status)
    for one in found["findings"]:
        assert set(one) == {"severity", "check", "text", "remedy"}
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


BREAKAGES = ["writable home", "home with content", "home is a link", "data home open", "data home of another",
             "homes open", "keys of the agent", "bad policy", "no policy", "policy of another", "not in the group",
             "another shell", "policy and another shell", "password", "empty password", "no subuids", "setuid shell",
             "writable shell"]


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
    finally:
        tool.shell.chmod(0o755)
        if os.path.islink(f"/home/{name}"):
            os.unlink(f"/home/{name}")


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
], ids=["good", "optional", "sufficient before", "cron", "account"])
def test_doctor_and_pam(tool, edit, service, said):
    found = [one for one in with_mounts(tool, pam_mounts(tool, edit))
             if one["check"] == "pam" and "is not installed" not in one["text"]]
    bad = [one for one in found if one["severity"] == "bad"]
    if service is None:
        assert not bad and any("sshd asks" in one["text"] for one in found), bad
    else:
        assert any(f"service {service} " in one["text"] and said in one["text"] for one in bad), bad


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
