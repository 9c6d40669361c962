"""Images of guests: a Debian with systemd, its own sshd and kernel, by mmdebstrap, cached by what they are made of.

An image holds the packages that agentsh and its tests need, so that a guest needs no network, and one unit that unpacks
the tree from a second disk and starts it. The tree itself is no part of an image.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import urllib.request

SUITES = ("bookworm", "trixie")
MIRROR = os.environ.get("LAB_MIRROR", "http://deb.debian.org/debian")
SECURITY_MIRROR = os.environ.get("LAB_SECURITY_MIRROR", "http://deb.debian.org/debian-security")
DISK_SIZE = "6G"  # sparse
NICE = ["nice", "-n", os.environ.get("LAB_NICE", "10")]
# What is started here ends with us, however we end, and everything below it with it; its mounts are its own.
CONTAINED = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

PACKAGES = """
    systemd systemd-sysv systemd-timesyncd dbus udev libpam-systemd rsyslog kmod initramfs-tools linux-image-cloud-amd64
    gcc make pkg-config libc6-dev libpam0g-dev libcap-dev libseccomp-dev libiniparser-dev passwd login
    openssh-server openssh-client openssh-sftp-server rsync git python3 python3-pytest python3-pexpect nodejs strace
    sudo cron at util-linux uidmap procps bubblewrap vim-tiny less iproute2 nftables binutils libcap2-bin perl cpio file
    pamtester keyutils tmux xauth
""".split()

# Before the kernel is configured: an initramfs of just what finds the disk, which boots much faster when emulated.
INITRAMFS = """
mkdir -p "$1/etc/initramfs-tools/conf.d"
printf 'MODULES=list\\nCOMPRESS=gzip\\n' > "$1/etc/initramfs-tools/conf.d/lab"
printf 'virtio_pci\\nvirtio_blk\\next4\\n' > "$1/etc/initramfs-tools/modules"
"""

# Timers that would wake up in the middle of a test are masked; nothing else of Debian is changed.
FINISH = """
echo lab > "$1/etc/hostname"
printf '127.0.0.1 localhost lab\\n' > "$1/etc/hosts"
echo '/dev/vda / ext4 rw 0 1' > "$1/etc/fstab"
rm -f "$1/etc/resolv.conf" "$1"/etc/ssh/ssh_host_*key*
chroot "$1" ssh-keygen -A
chroot "$1" systemctl enable ssh.service lab.service
mkdir -p "$1/root/agentsh"
chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer man-db.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer systemd-timesyncd.service serial-getty@ttyS0.service
: > "$1/etc/machine-id"
mkdir -p "$1/var/log/journal"
"""

UNIT = """\
[Unit]
Description=The tests of the lab
After=multi-user.target ssh.service systemd-user-sessions.service dev-vdb.device

[Service]
Type=exec
ExecStart=/usr/local/sbin/lab-start
StandardOutput=journal+console
StandardError=inherit
Restart=no
OOMScoreAdjust=-500
TasksMax=infinity

[Install]
WantedBy=graphical.target
"""

START = """\
#!/bin/sh
# Started at each boot. The tree is a tar archive on the second disk.
set -eu
modprobe virtio_console || true
tree=/root/agentsh
if [ ! -e "$tree/Makefile" ]; then
    tar -xf /dev/vdb -C "$tree"
fi
exec "$tree/tests/lab/guest/run"
"""

# A compiler takes minutes when its processor is emulated: what install.sh and the integration tests have to build is
# there already, as after an earlier run of theirs. They run make all the same.
FOR_INSTALL = ["O=/root/agentsh/build/install-usr-local PREFIX=/usr/local all"]
BUILD = "/root/agentsh/build"
PROBES = " ".join(f"{BUILD}/probes/{name}" for name in ("probe_identity", "probe_view", "probe_escape"))
FOR_INTEGRATION = [f"O={BUILD} all {PROBES}", f"O={BUILD}/faults FAULTS=1 all"]


def sources(suite):
    return [f"deb {MIRROR} {suite} main", f"deb {MIRROR} {suite}-updates main",
            f"deb {SECURITY_MIRROR} {suite}-security main"]


def key(suite):
    """What the image is made of, as a name."""
    parts = [suite, *sources(suite), *PACKAGES, INITRAMFS, FINISH, UNIT, START, DISK_SIZE]
    return f"{suite}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


class Image:
    """`disk`, `kernel` and `initrd` of one suite, and `root`, what is on the disk; made when the cache has no such."""

    def __init__(self, suite, cache):
        self.suite = suite
        self.directory = pathlib.Path(cache) / key(suite)
        self.disk, self.kernel, self.initrd, self.root = (self.directory / name for name in
                                                          ("root.ext4", "vmlinuz", "initrd", "root"))

    def unreachable(self):
        """What is wrong with the archive that the image would be made from; empty: nothing."""
        for url in (f"{MIRROR}/dists/{self.suite}", f"{SECURITY_MIRROR}/dists/{self.suite}-security"):
            try:
                with urllib.request.urlopen(f"{url}/Release", timeout=30):
                    pass
            except OSError as problem:
                return f"{url}: {problem}"
        return ""

    def make(self, log):
        """Make it unless it is there. `log`: an open file. True when it had to be made."""
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        with open(self.directory.parent / f".{self.suite}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.directory.exists():
                return False
            self.remove_outdated()
            work = pathlib.Path(tempfile.mkdtemp(prefix=f".{self.suite}.", dir=self.directory.parent))
            try:
                self.build(work, log)
                (work / "image").rename(self.directory)
            finally:
                shutil.rmtree(work, ignore_errors=True)
            return True

    def remove_outdated(self):
        """One image for each suite is enough, and what a killed run left is none."""
        for pattern in (f"{self.suite}-*", f".{self.suite}.*"):
            for path in self.directory.parent.glob(pattern):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)

    def build(self, work, log):
        image = work / "image"
        root = image / "root"
        image.mkdir()
        (work / "lab.service").write_text(UNIT, encoding="ascii")
        (work / "lab-start").write_text(START, encoding="ascii")
        (work / "lab-start").chmod(0o755)
        run(["mmdebstrap", "--variant=minbase", "--mode=root", "--dpkgopt=force-unsafe-io",
             "--aptopt=APT::Install-Recommends \"false\"",
             "--aptopt=Acquire::Retries \"3\"", "--aptopt=Acquire::http::Timeout \"30\"",
             f"--essential-hook={INITRAMFS}", f"--include={','.join(PACKAGES)}",
             f"--customize-hook=copy-in {work}/lab.service /etc/systemd/system",
             f"--customize-hook=copy-in {work}/lab-start /usr/local/sbin",
             f"--customize-hook={FINISH}", self.suite, str(root), *sources(self.suite)], log)
        mounted = [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if f" {root}/" in line]
        if mounted:
            raise RuntimeError(f"still mounted in the tree of the image: {mounted}")
        shutil.copyfile(newest(root / "boot", "vmlinuz-*"), image / "vmlinuz")
        shutil.copyfile(newest(root / "boot", "initrd.img-*"), image / "initrd")
        run(["mkfs.ext4", "-q", "-F", "-L", "lab", "-d", str(root), str(image / "root.ext4"), DISK_SIZE], log)

    def compile(self, tree, with_integration, log):
        """Makes in `tree` with the suite's own compiler and libraries, under the path that the guest will have."""
        targets = FOR_INSTALL + FOR_INTEGRATION * with_integration
        commands = "cd /root/agentsh && " + " && ".join(f"make -s -j$(nproc) {target}" for target in targets)
        script = (f'mount --bind "$1" "$2/root/agentsh" && mount -t proc proc "$2/proc" && '
                  f'mount --bind /dev "$2/dev" && exec chroot "$2" /bin/sh -c "{commands}"')
        run(["sh", "-c", script, "sh", str(tree), str(self.root)], log)


def newest(directory, pattern):
    return max(directory.glob(pattern), key=lambda path: path.stat().st_mtime)


def run(argv, log):
    log.write(f"+ {' '.join(argv[:3])} ...\n")
    log.flush()
    done = subprocess.run([*NICE, *CONTAINED, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
                          timeout=1800, env={**os.environ, "LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with status {done.returncode}, see {log.name}")
