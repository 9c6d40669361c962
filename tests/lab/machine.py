"""One guest: QEMU without KVM, a console log, a disk with the tree, and a port on which the guest reports."""
import contextlib
import os
import pathlib
import subprocess
import time

NICE = os.environ.get("LAB_NICE", "10")
MEMORY = "2048"
# One: emulated processors that wait for each other (a module is loaded, code is patched) lock up now and then when QEMU
# runs them by turns on a busy host, and run a stale int3 when each has a thread. Two by turns would be no faster.
PROCESSORS = "1"


class Machine:
    """Starts with `with`; QEMU is ended by its pid in any case, and by the kernel when we are killed."""

    def __init__(self, image, tree, directory, tsc_khz):
        self.image, self.tree, self.tsc_khz = image, tree, tsc_khz
        self.directory = pathlib.Path(directory)
        self.console, self.report = self.directory / "console.log", self.directory / "report.tap"
        self.process, self.used = None, 0.0

    def command(self):
        # A busy host lets the guest wait: nothing that the kernel may measure about its timers by waiting for them.
        append = (f"root=/dev/vda rw console=ttyS0 panic=30 tsc_early_khz={self.tsc_khz} tsc=reliable no_timer_check "
                  "nowatchdog mitigations=off quiet systemd.show_status=0")
        return ["nice", "-n", NICE, "setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64",
                "-nodefaults", "-no-user-config", "-display", "none",
                "-M", "q35", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", PROCESSORS, "-m", MEMORY,
                "-kernel", str(self.image.kernel), "-initrd", str(self.image.initrd), "-append", append,
                "-drive", f"file={self.image.disk},format=raw,if=none,id=root,snapshot=on,cache=unsafe",
                "-device", "virtio-blk-pci,drive=root",
                "-drive", f"file={self.tree},format=raw,if=none,id=tree,readonly=on",
                "-device", "virtio-blk-pci,drive=tree",
                "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
                "-chardev", f"file,id=report,path={self.report}",
                "-device", "virtserialport,chardev=report,name=lab.report",
                "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console"]

    def __enter__(self):
        # The changes to the disk go to a nameless file in TMPDIR.
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.directory / "qemu.log", "wb"), start_new_session=True,
                                        env={**os.environ, "TMPDIR": str(self.directory)})
        # A kernel that groups processes by their session weighs the groups, each with a value of its own.
        with contextlib.suppress(OSError):
            pathlib.Path(f"/proc/{self.process.pid}/autogroup").write_text(NICE, encoding="ascii")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def processor_seconds(self):
        """What QEMU used so far; the last figure when it has ended."""
        try:
            fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
            self.used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (FileNotFoundError, ProcessLookupError, IndexError):
            pass
        return self.used

    def running(self):
        return self.process.poll() is None

    def tail(self, lines=25):
        try:
            text = self.console.read_text(errors="replace")
        except FileNotFoundError:
            return []
        return text.replace("\r", "").splitlines()[-lines:]

    def panicked(self):
        return any("Kernel panic" in line for line in self.tail(60))

    def lines(self, boot_seconds, silence_seconds, total_seconds):
        """Whole lines of the report as they come. Ends with the guest; raises TimeoutError with what it waited for."""
        start = last = time.monotonic()
        offset, rest, first = 0, "", True
        while True:
            self.processor_seconds()
            running = self.running()
            with open(self.report, "rb") if self.report.exists() else open(os.devnull, "rb") as report:
                report.seek(offset)
                data = report.read()
            now = time.monotonic()
            if data:
                offset, last, first = offset + len(data), now, False
                *whole, rest = (rest + data.decode(errors="replace")).split("\n")
                yield from whole
                continue
            if not running:
                return
            if self.panicked():
                raise TimeoutError("the guest's kernel panicked")
            if first and now - start > boot_seconds:
                raise TimeoutError(f"the guest did not report within {boot_seconds} s of its start")
            if not first and now - last > silence_seconds:
                raise TimeoutError(f"the guest was silent for {silence_seconds} s")
            if now - start > total_seconds:
                raise TimeoutError(f"the guest did not finish within {total_seconds} s")
            time.sleep(0.3)
