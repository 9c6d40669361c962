#!/usr/bin/python3
"""How many x86-64 system calls a process can reach: agentsh's filters beside those of its neighbours.

    make O=BUILD BUILD/tests/jail_run && sudo AGENTSH_BUILD=BUILD tests/bench/syscalls.py [-v]

One static probe is run in each, on this machine and kernel. -v lists the calls that only a neighbour lets through, and
those that only agentsh does. Programs: Debian's bubblewrap, libseccomp2; podman, firejail and systemd-container are
taken when they are there. golang-github-containers-common has the profile that docker and podman share; it is also
compiled here, for hosts on which no engine runs. The last line says whether the aims are met; they are the exit status.
"""
import ctypes
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ.get("AGENTSH_BUILD", "build")).resolve()
PROBE = BUILD / "probes/probe_syscalls"
PROFILE = pathlib.Path("/usr/share/containers/seccomp.json")
# What a container without further capabilities starts with, docker's and podman's default.
CAPS = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
        "CAP_AUDIT_WRITE"}
COMPARE = {"SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5, "SCMP_CMP_GT": 6,
           "SCMP_CMP_MASKED_EQ": 7}
ALLOW, ERRNO, KILL = 0x7fff0000, 0x00050000, 0x80000000
EXPORT_X86_64 = 0xc000003e


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def library():
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    lib.seccomp_init.argtypes = [ctypes.c_uint32]
    lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                           ctypes.POINTER(Comparison)]
    lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    lib.seccomp_syscall_resolve_num_arch.argtypes = [ctypes.c_uint32, ctypes.c_int]
    return lib


SECCOMP = library()


def name_of(number):
    pointer = SECCOMP.seccomp_syscall_resolve_num_arch(EXPORT_X86_64, number)
    return ctypes.string_at(pointer).decode() if pointer else str(number)


def action(rule, default_errno=1):
    kinds = {"SCMP_ACT_ALLOW": ALLOW, "SCMP_ACT_ERRNO": ERRNO | rule.get("errnoRet", default_errno),
             "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_PROCESS": KILL, "SCMP_ACT_KILL_THREAD": 0}
    return kinds[rule["action"]]


def kernel():
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


def applies(rule):
    """As container engines read `includes` and `excludes`, for x86-64 and the default capabilities."""
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if includes.get("arches") and not {"amd64", "x86_64"} & set(includes["arches"]):
        return False
    if {"amd64", "x86_64"} & set(excludes.get("arches") or []):
        return False
    if not set(includes.get("caps") or []) <= CAPS or set(excludes.get("caps") or []) & CAPS:
        return False
    minimum = includes.get("minKernel")
    return minimum is None or kernel() >= tuple(int(part) for part in minimum.split("."))


def compile_profile(path, out):
    """The filter of an OCI engine's JSON profile, as BPF."""
    profile = json.loads(path.read_text())
    default = {"action": profile["defaultAction"], "errnoRet": profile.get("defaultErrnoRet", 1)}
    context = SECCOMP.seccomp_init(action(default))
    for rule in filter(applies, profile["syscalls"]):
        if action(rule) == action(default):
            continue
        args = [Comparison(arg["index"], COMPARE[arg["op"]], arg["value"], arg.get("valueTwo", 0))
                for arg in rule.get("args") or []]
        array = (Comparison * max(1, len(args)))(*args)
        for name in rule.get("names") or [rule["name"]]:
            number = SECCOMP.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:
                result = SECCOMP.seccomp_rule_add_array(context, action(rule), number, len(args), array)
                if result < 0:
                    raise OSError(-result, f"{name}: {os.strerror(-result)}")
    if SECCOMP.seccomp_export_bpf(context, out.fileno()) < 0:
        raise OSError("the profile cannot be compiled")


def as_nobody():
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)


def probe(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
                          **options)
    lines = [line.split("=", 1) for line in done.stdout.splitlines() if "=" in line]
    if "existing sandbox" in done.stderr:
        raise OSError("firejail does nothing inside of a container: run this on the machine itself")
    if done.returncode != 0 or not lines:
        raise OSError((done.stderr or f"status {done.returncode}").strip().splitlines()[-1])
    return dict(lines)


BWRAP = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]


def run_bwrap():
    return probe([*BWRAP, "--", str(PROBE)])


def run_profile():
    with tempfile.TemporaryFile() as code:
        compile_profile(PROFILE, code)
        code.seek(0)
        return probe([*BWRAP, "--seccomp", str(code.fileno()), "--", str(PROBE)], pass_fds=[code.fileno()])


def run_nspawn():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        root = pathlib.Path(directory)
        (root / "usr/lib").mkdir(parents=True)
        (root / "usr/lib/os-release").write_text("ID=none\n")
        shutil.copy(PROBE, root / "probe")
        return probe(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", f"--directory={root}",
                      "/probe"])


def run_firejail():
    return probe(["firejail", "--noprofile", "--seccomp", "--nonewprivs", str(PROBE)])


def run_podman():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        root = pathlib.Path(directory, "root")
        root.mkdir()
        shutil.copy(PROBE, root / "probe")
        return probe(["podman", "--root", f"{directory}/storage", "--runroot", f"{directory}/run",
                      "--cgroup-manager=cgroupfs", "run", "--rm", "--network=none", "--cgroups=disabled",
                      "--log-driver=none", "--rootfs", root, "/probe"])


def run_agentsh(*options):
    return probe([str(BUILD / "tests/jail_run"), *options, "--probe", str(PROBE)])


def no_filter():
    return probe([str(PROBE)], preexec_fn=as_nobody)


ROWS = [
    ("agentsh strict", None, lambda: run_agentsh("--strict")),
    ("agentsh strict, tier chroot", None, lambda: run_agentsh("--strict", "--chroot")),
    ("agentsh default", None, run_agentsh),
    ("agentsh default, tier chroot", None, lambda: run_agentsh("--chroot")),
    ("agentsh default, nested", None, lambda: run_agentsh("--nested")),
    ("podman run", "podman", run_podman),
    ("profile of docker and podman", PROFILE, run_profile),
    ("firejail --seccomp", "firejail", run_firejail),
    ("systemd-nspawn", "systemd-nspawn", run_nspawn),
    ("bubblewrap (no filter)", "bwrap", run_bwrap),
    ("no isolation", None, no_filter),
]


def reached(facts):
    return {int(key.split()[1]) for key, value in facts.items() if key.startswith("call ") and value == "reached"}


def missing(need):
    return need is not None and not (need.exists() if isinstance(need, pathlib.Path) else shutil.which(need))


def print_lists(found):
    ours = reached(found["agentsh default"])
    for title, facts in found.items():
        if not title.startswith("agentsh"):
            theirs = reached(facts)
            print(f"\n{title}, not agentsh default: {' '.join(map(name_of, sorted(theirs - ours))) or '-'}")
            print(f"agentsh default, not {title}: {' '.join(map(name_of, sorted(ours - theirs))) or '-'}")
    print(f"\nagentsh strict: {' '.join(map(name_of, sorted(reached(found['agentsh strict']))))}")


def aims_are_met(reached_by):
    """`default` reaches fewer than the profile of docker and podman, `strict` at most 150; in both tiers."""
    theirs = [reached_by[title] for title in ("podman run", "profile of docker and podman") if title in reached_by]
    ours = {tier: (reached_by[f"agentsh default{tier}"], reached_by[f"agentsh strict{tier}"])
            for tier in ("", ", tier chroot")}
    met = all(strict <= 150 and default < min(theirs, default=default + 1) for default, strict in ours.values())
    compared = f"against {min(theirs)}" if theirs else "and nothing to compare with"
    print(f"aims {'met' if met else 'NOT MET'}: default {ours[''][0]} {compared}, strict {ours[''][1]} of at most 150")
    return met


def main():
    found, failed = {}, False
    print(f"{'':40}{'reached':>8}{'EPERM':>8}{'ENOSYS':>8}{'other':>8}{'killed':>8}")
    for title, need, run in ROWS:
        if missing(need):
            print(f"{title:40}{'skipped: no ' + str(need):>8}")
            continue
        try:
            facts = run()
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{title:40}failed: {error}")
            failed = failed or title.startswith("agentsh")
            continue
        found[title] = facts
        known = ["reached", "EPERM", "ENOSYS", "killed"]
        counts = {key: int(facts.get(key, 0)) for key in known}
        other = int(facts["numbers"]) - sum(counts.values())
        print(f"{title:40}{counts['reached']:8}{counts['EPERM']:8}{counts['ENOSYS']:8}{other:8}{counts['killed']:8}")
    if "-v" in sys.argv[1:] and not failed:
        print_lists(found)
    return failed or not aims_are_met({title: int(facts.get("reached", 0)) for title, facts in found.items()})


if __name__ == "__main__":
    sys.exit(main())
