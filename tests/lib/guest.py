"""What a virtual machine is made of, for tests: Debian's cloud kernel, unpacked but not installed, and a small root."""
import pathlib
import re
import shutil
import subprocess

import host
from need import need

CACHE = host.BUILD / "vm"
PROGRAMS = """bash sh cat ls id uname head tail wc stty tty sleep kill ps env echo printf true false mkdir rm touch stat
    sha256sum dd sync readlink seq sort grep sed date hostname mount df find tar od cut tr sftp-server rsync git git-upload-pack
    git-receive-pack scp python3 nproc tee chmod ln mv mkfifo xargs""".split()
PLACES = ("/usr/bin", "/bin", "/usr/sbin", "/usr/lib/openssh", "/usr/lib/git-core")


def newest(directory):
    found = sorted(pathlib.Path(directory).glob("boot/vmlinuz-*-cloud-*"))
    return found[-1] if found else None


def download(target):
    """The package of the kernel, by apt, unpacked to `target`."""
    shown = host.run("apt-cache", "depends", "linux-image-cloud-amd64").stdout
    match = re.search(r"Depends: (linux-image-\S+)", shown)
    if match is None:
        return
    work = target.with_name(target.name + ".new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    work.chmod(0o755)
    host.run("apt-get", "download", match[1], cwd=work, timeout=300)
    for package in work.glob("*.deb"):
        host.run("dpkg", "-x", package, work, check=True, timeout=120)
        package.unlink()
    if newest(work):
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)


def kernel():
    """Path of an image; its modules lie beside it. Installed, or from the cache, or from Debian's mirror."""
    found = newest("/") or newest(CACHE / "kernel")
    if found is None:
        download(CACHE / "kernel")
        found = newest(CACHE / "kernel")
    need(found is not None, "no cloud kernel: linux-image-cloud-amd64 is neither installed nor to be downloaded")
    return found


def libraries(program):
    """What ldd says that a program needs, the loader included."""
    found = re.findall(r"(/\S+) \(0x", host.run("ldd", program).stdout)
    return {path for path in found if not path.startswith("/vdso")}


def copy(path, root):
    target = root / str(path).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(path, target, follow_symlinks=True)


def root_tree(root):
    """A small root of this machine's own programs, as a directory."""
    shutil.rmtree(root, ignore_errors=True)
    for name in ("usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc", "proc", "sys", "dev", "run", "tmp", "home", "root", "var"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    for name in PROGRAMS:
        path = next((pathlib.Path(place) / name for place in PLACES if (pathlib.Path(place) / name).exists()), None)
        if path is None:
            continue
        copy(path, root)
        for library in libraries(path):
            copy(library, root)
    python = next(pathlib.Path("/usr/lib").glob("python3.*"), None)
    if python is not None:
        shutil.copytree(python, root / str(python).lstrip("/"), symlinks=True, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("test", "__pycache__", "config-*", "idlelib", "tkinter"))
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    return root


def root_image(target, root):
    """The same as an erofs image."""
    target.unlink(missing_ok=True)
    subprocess.run(["mkfs.erofs", "-d0", "--all-root", str(target), str(root)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    target.chmod(0o644)
