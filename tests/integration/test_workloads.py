"""Real programs decide what the system call filter must let through: real work of each, inside, under both filters.

Each script fails at the first thing that goes wrong, and ends with the word that the test waits for. tests/run takes each
program that it installs, under the strictest filter that lets it work; AGENTSH_FULL=1 takes both filters, and what is not
installed for the tests (compilers of other languages above all), where it is.
"""
import os
import shutil
import subprocess

import host
import pytest
from need import need
from sshd import environment

LIMITS = {"memory": "3G", "tmp": "1G", "cpus": "0", "tasks": "2000", "open_files": "4096"}
BOTH, DEFAULT = ("default", "strict"), ("default",)
WORKLOADS = {}


def workload(name, script, filters=BOTH, programs=(), package=None, timeout=120, prepare=None, reference=True):
    WORKLOADS[name] = (script, filters, programs, package, timeout, prepare, reference)


workload("bash", r"""
trap 'caught=yes' USR1; kill -USR1 $$; [ "$caught" = yes ]
declare -A map=([one]=1 [two]=2); [ $((map[one] + map[two])) -eq 3 ]
[ "$(sort -n < <(seq 200 | shuf) | tail -1)" = 200 ]
coproc worker { while read -r line; do echo "$((line * 2))"; done; }
for n in 1 2 3; do echo $n >&"${worker[1]}"; read -r -t 5 got <&"${worker[0]}"; [ "$got" -eq $((n * 2)) ]; done
eval "exec ${worker[1]}>&-"; wait
set -m; sleep 30 & kill -STOP %1; until grep -q '^State:.T' /proc/$!/status; do sleep 0.1; done; jobs >/dev/null; kill -CONT %1; kill %1; wait %1 || true; set +m
mkfifo pipe; (seq 1000 >pipe &) ; [ "$(wc -l <pipe)" -eq 1000 ]
ulimit -n 100; (ulimit -t 5; true); umask 027; : >f; [ "$(stat -c %a f)" = 640 ]
[ "$(timeout 0.2 sleep 5; echo $?)" = 124 ]; nice -n 5 true; time -p true 2>/dev/null
flock lock true; exec {fd}<>lock; flock -n $fd
head -c 100000 /dev/urandom | sha256sum >/dev/null; [ $(seq 100000 | tee >(cat >/dev/null) | wc -l) -eq 100000 ]
""", programs=["bash"])

workload("python", r"""
cat >t.py <<'P'
import asyncio, concurrent.futures as cf, contextlib, ctypes, fcntl, hashlib, mmap, multiprocessing as mp, os, pathlib
import select, shutil, signal, socket, sqlite3, ssl, subprocess, sys, tempfile, threading, time, zipfile

def square(n):
    return n * n

def check(name, value):
    assert value, name

if __name__ == "__main__":
    with cf.ThreadPoolExecutor(16) as pool:
        check("threads", list(pool.map(square, range(500)))[-1] == 499 ** 2)
    with cf.ProcessPoolExecutor(4) as pool:
        check("processes", sum(pool.map(square, range(200), chunksize=10)) == sum(n * n for n in range(200)))
    if sys.argv[1] == "default":
        for kind in ("spawn", "forkserver"):
            with mp.get_context(kind).Pool(2) as pool:
                check(kind, pool.map(square, [3]) == [9])
        from multiprocessing import shared_memory
        block = shared_memory.SharedMemory(create=True, size=1 << 20)
        block.buf[:3] = b"abc"
        again = shared_memory.SharedMemory(block.name)
        check("shared memory", bytes(again.buf[:3]) == b"abc")
        again.close(); block.close(); block.unlink()

    async def echo():
        async def serve(reader, writer):
            writer.write((await reader.readline()).upper()); await writer.drain(); writer.close()
        for server in (await asyncio.start_server(serve, "127.0.0.1", 0), await asyncio.start_unix_server(serve, "s")):
            name = server.sockets[0].getsockname()
            reader, writer = await (asyncio.open_connection(*name) if isinstance(name, tuple) else
                                    asyncio.open_unix_connection(name))
            writer.write(b"hello\n"); check("echo", await reader.readline() == b"HELLO\n"); writer.close()
            server.close()
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        check("cat", (await process.communicate(b"x"))[0] == b"x")
    asyncio.run(echo())
    with contextlib.closing(sqlite3.connect("db")) as db:
        db.execute("pragma journal_mode=wal"); db.execute("create table t(a)")
        with db: db.executemany("insert into t values(?)", [(n,) for n in range(1000)])
        check("sqlite", db.execute("select sum(a) from t").fetchone()[0] == 499500)
    with open("m", "w+b") as file:
        file.truncate(1 << 16)
        with mmap.mmap(file.fileno(), 0) as view:
            view[:5] = b"hello"; view.flush()
        fcntl.lockf(file, fcntl.LOCK_EX); check("mmap", file.read(5) == b"hello")
    signal.setitimer(signal.ITIMER_REAL, 0.05); signal.signal(signal.SIGALRM, lambda *_: None); signal.pause()
    check("select", select.select([], [], [], 0.01) == ([], [], [])); poll = select.epoll(); poll.poll(0.01)
    check("run", subprocess.run(["sh", "-c", "exit 7"], start_new_session=True).returncode == 7)
    check("ssl", ssl.create_default_context() and hashlib.scrypt(b"x", salt=b"y", n=2 ** 12, r=8, p=1))
    with tempfile.TemporaryDirectory() as d:
        shutil.copytree("/usr/share/zoneinfo/Europe", d + "/x"); shutil.make_archive(d + "/a", "zip", d + "/x")
        check("zip", zipfile.ZipFile(d + "/a.zip").testzip() is None)
        os.symlink("x", d + "/l"); os.link(d + "/a.zip", d + "/b"); os.utime(d + "/b"); pathlib.Path(d, "b").chmod(0o600)
    check("getrandom", len(os.getrandom(16)) == 16 and os.sched_getaffinity(0) and os.getloadavg())
    check("libc", ctypes.CDLL(None).getpid() == os.getpid())
P
python3 t.py "$FILTER"
""", programs=["python3"])

workload("python's own tests", r"""
python3 -m test -q -j2 test_subprocess test_threading test_socket test_asyncio test_multiprocessing_fork test_signal \
    test_os test_posix test_mmap test_fcntl test_epoll test_select test_tempfile test_shutil test_time >log 2>&1 ||
    { tail -n 60 log; exit 1; }
""", DEFAULT, ["python3"], "libpython3.11-testsuite", 1800, reference=False)

workload("node", r"""
cat >x.test.js <<'J'
const test = require('node:test'), assert = require('node:assert'), fs = require('fs'), net = require('net');
const http = require('http'), zlib = require('zlib'), crypto = require('crypto'), cp = require('child_process');
const { Worker } = require('worker_threads');
test('workers', async () => {
  const sums = await Promise.all([1, 2, 3, 4].map(n => new Promise((done, failed) => {
    const w = new Worker(`require('worker_threads').parentPort.postMessage(${n} * 10)`, { eval: true });
    w.on('message', done); w.on('error', failed);
  })));
  assert.deepStrictEqual(sums, [10, 20, 30, 40]);
});
test('http', async () => {
  const server = http.createServer((q, r) => r.end(q.url)).listen(0, '127.0.0.1');
  await new Promise(r => server.on('listening', r));
  const text = await new Promise(r => http.get({ port: server.address().port, host: '127.0.0.1', path: '/x' },
    a => { let s = ''; a.on('data', d => s += d); a.on('end', () => r(s)); }));
  assert.strictEqual(text, '/x'); server.closeAllConnections?.(); server.close();
});
test('unix socket', async () => {
  const server = net.createServer(c => c.end('hi')).listen('node.sock');
  await new Promise(r => server.on('listening', r));
  const got = await new Promise(r => net.connect('node.sock').on('data', d => r(String(d))));
  assert.strictEqual(got, 'hi'); server.close();
});
test('children', () => {
  assert.strictEqual(cp.execSync('echo in').toString(), 'in\n');
  assert.strictEqual(cp.spawnSync(process.execPath, ['-p', '6 * 7']).stdout.toString(), '42\n');
});
test('files', async () => {
  await fs.promises.mkdir('a/b/c', { recursive: true });
  await Promise.all([...Array(100).keys()].map(n => fs.promises.writeFile(`a/b/c/${n}`, 'x'.repeat(1000))));
  assert.strictEqual((await fs.promises.readdir('a/b/c')).length, 100);
  await fs.promises.cp('a', 'z', { recursive: true }); await fs.promises.rm('a', { recursive: true });
  const seen = new Promise(r => { const w = fs.watch('z', (e, f) => { w.close(); r(f); }); });
  fs.writeFileSync('z/new', 'y'); assert.strictEqual(await seen, 'new');
  assert.strictEqual(zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(1e6))).length, 1e6);
  assert.strictEqual(crypto.scryptSync('a', 'b', 32).length, 32);
});
J
node --test x.test.js >log 2>&1 || { cat log; exit 1; }
""", DEFAULT, ["node"])

workload("gcc and make", r"""
tar -xf tree.tar
make -s -j2 O="$PWD/objects" "$PWD/objects/libpolicy.a"
cat >t.c <<'C'
#include <pthread.h>
#include <stdio.h>
static void *f(void *p) { return p; }
int main(void)
{
        pthread_t t[8];
        long sum = 0;
        for (long i = 0; i < 8; i++)
                if (pthread_create(&t[i], 0, f, (void *)i)) return 1;
        for (int i = 0; i < 8; i++) { void *r; pthread_join(t[i], &r); sum += (long)r; }
        return printf("%ld\n", sum) < 0;
}
C
gcc -O2 -flto=auto -pthread -o t t.c && [ "$(./t)" = 28 ]
nm objects/libpolicy.a | grep policy_load >/dev/null; strip -o s t; objdump -d s >/dev/null
""", programs=["gcc", "make"], prepare="tree")

workload("git", r"""
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q -b main one && cd one
for n in $(seq 12); do seq $((n * 50)) >f$n; git add . && git commit -q -m "c$n"; done
git checkout -q -b side HEAD~6; echo x >side; git add side; git commit -q -m side; git rebase -q main
git checkout -q main; git merge -q side; git tag -a -m t v1; git stash list; git gc -q --aggressive --prune=now
git fsck --full --strict; git repack -adq --threads=2; git bundle create ../b --all 2>/dev/null; git grep -q 500
git worktree add -q ../w side~1; git archive HEAD | tar -t >/dev/null; git bisect start HEAD HEAD~3 >/dev/null 2>&1; cd ..
git clone -q --no-local one two && git clone -q b three -b main && [ "$(git -C two rev-parse v1^{})" = "$(git -C three rev-parse main)" ]
git init -q --bare bare.git && git -C two push -q ../bare.git main && git -C two log --stat | cat >/dev/null
""", programs=["git"])

workload("perl", r"""
cat >t.t <<'P'
use strict; use warnings; use Test::More; use IO::Socket::INET; use IO::Socket::UNIX; use File::Temp; use File::Find;
use POSIX (); use Socket; use IPC::Open3; use Time::HiRes qw(usleep alarm); use Digest::SHA; use Storable;
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die $!;
my $pid = fork // die; if (!$pid) { my $c = $server->accept; print $c scalar <$c>; POSIX::_exit(3) }
my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport); print $c "hello\n";
is(scalar <$c>, "hello\n", 'socket'); waitpid $pid, 0; is($? >> 8, 3, 'status');
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC); syswrite $a, 'x'; sysread $b, my $got, 1; is($got, 'x');
my $rang = 0; { local $SIG{ALRM} = sub { $rang++ }; alarm(0.05); usleep(200_000) } is($rang, 1, 'alarm');
my $dir = File::Temp->newdir; my $seen = 0; mkdir "$dir/$_" for 1 .. 50; find(sub { $seen++ }, "$dir"); is($seen, 51);
my $child = open3(my $in, my $out, undef, 'cat'); print $in "y\n"; close $in; is(scalar <$out>, "y\n", 'open3');
waitpid $child, 0; store([1 .. 1000], "$dir/s"); is(retrieve("$dir/s")->[999], 1000, 'storable');
is(length Digest::SHA::sha256_hex('x' x 1e6), 64, 'sha'); is((POSIX::uname())[0], 'Linux', 'uname'); done_testing;
P
prove -j2 t.t >log 2>&1 || { cat log; exit 1; }
""", programs=["perl", "prove"])

workload("sqlite", r"""
sqlite3 db 'pragma journal_mode=wal; create table t(a,b); with recursive n(i) as (select 1 union all select i+1 from n
  where i<20000) insert into t select i, hex(randomblob(20)) from n; create index x on t(b);' >/dev/null
for n in 1 2 3 4; do sqlite3 -cmd '.timeout 10000' db "update t set b=$n where a%4=$n-1;" & done; wait
[ "$(sqlite3 db 'select count(distinct b) from t; pragma integrity_check; vacuum;')" = $'4\nok' ]
sqlite3 db .dump | sqlite3 copy; [ "$(sqlite3 copy 'select sum(a) from t')" = 200010000 ]
""", programs=["sqlite3"])

workload("vim", r"""
seq 2000 >f; vim.tiny -u NONE -es -c '%s/7/seven/g' -c '$delete' -c 'wq' f; [ "$(grep -c seven f)" -eq 542 ]
[ "$(wc -l <f)" -eq 1999 ];
""", programs=["vim.tiny"], package="vim-tiny")

workload("tmux", r"""
tmux -S s -f /dev/null new-session -d -x 80 -y 24 'bash --norc'; tmux -S s split-window; tmux -S s resize-pane -U 3
tmux -S s send-keys -t 0.0 'echo in-$((40+2))' Enter
for n in $(seq 50); do tmux -S s capture-pane -p -t 0.0 | grep '^in-42' >/dev/null && break; sleep 0.1; done
tmux -S s capture-pane -p -t 0.0 | grep '^in-42' >/dev/null; tmux -S s kill-server
""", DEFAULT, ["tmux"])

workload("rsync, tar, xz", r"""
cp -r /usr/share/zoneinfo a; ln -s a l; mkfifo a/p; touch -d '2001-02-03 04:05:06' a/old; truncate -s 3M a/sparse
rsync -aHS a/ b; diff -r --exclude=p a b; [ "$(stat -c %Y b/old)" = "$(stat -c %Y a/old)" ]; rsync -an --delete a/ b
printf '#!/bin/sh\nshift\nexec "$@"\n' >rsh; chmod +x rsh; rsync -a --checksum --compress -e ./rsh a/ local:"$PWD/c"; diff -r --exclude=p a c
tar -C a --sparse --xattrs -cJf t.tar.xz . && xz -t -T2 t.tar.xz && mkdir d && tar -C d -xJf t.tar.xz && diff -r --exclude=p a d
tar -cz a | tar -tz | sort >1; tar -c a | bzip2 | tar -tj | sort | cmp - 1; find a -type f -print0 | xargs -0 -P4 sha1sum >/dev/null
cp --sparse=always a/sparse e; dd if=/dev/zero of=z bs=1M count=8 conv=fsync status=none; sync z; shred -n1 z; split -n4 z
""", programs=["rsync", "tar", "xz"])

workload("strace", r"""
strace -f -qq -o log -e trace=openat sh -c 'cat /etc/passwd | head -n1 >/dev/null'; grep -q /etc/passwd log
strace -c -o sum true; grep -q execve sum
""", DEFAULT, ["strace"])

workload("gdb", r"""
printf 'int twice(int n) { return 2 * n; }\nint main(void) { return twice(21) - 42; }\n' >t.c; gcc -g -O0 -o t t.c
gdb -q -batch -ex 'break twice' -ex run -ex 'print n' -ex bt -ex 'watch n' -ex finish -ex continue ./t >log 2>&1
grep -q '= 21' log; grep -q '#1 .*main' log; grep -q 'Value returned is .* = 42' log; grep -q 'exited normally' log
""", DEFAULT, ["gdb", "gcc"], reference=False)

workload("a Debian package", r"""
# In a jail uid 0 is nobody's, and chown(2) to it gives EINVAL, of which fakeroot does not know.
export FAKEROOTDONTTRYCHOWN=1
mkdir -p p/debian/source && cd p; echo '3.0 (native)' >debian/source/format
printf 'Source: p\nMaintainer: a <a@b>\nSection: misc\nPriority: optional\nStandards-Version: 4.6.2\n\nPackage: p\nArchitecture: any\nDescription: a package\n one\n' >debian/control
printf 'p (1.0) unstable; urgency=low\n\n  * One.\n\n -- a <a@b>  Mon, 01 Jan 2024 00:00:00 +0000\n' >debian/changelog
printf 'int main(void) { return 0; }\n' >p.c
cat >debian/rules <<'M'
#!/usr/bin/make -f
clean:
	rm -rf p debian/p debian/files
build build-arch build-indep: p
p: p.c
	gcc -O2 -o $@ $<
binary-indep:
binary binary-arch: build
	mkdir -p debian/p/usr/bin debian/p/DEBIAN
	install -o root -g root p debian/p/usr/bin
	dpkg-gencontrol -Pdebian/p
	dpkg-deb --build debian/p ..
M
chmod +x debian/rules; mkdir ../db; : >../db/status; dpkg-buildpackage -us -uc -d -rfakeroot --admindir="$PWD/../db" >../log 2>&1 || { cat ../log; exit 1; }
dpkg-deb -c ../p_1.0_*.deb | grep >/dev/null 'root/root .*usr/bin/p'; dpkg-deb -x ../p_1.0_*.deb x && x/usr/bin/p
""", DEFAULT, ["dpkg-buildpackage", "fakeroot", "gcc", "make"], "dpkg-dev, fakeroot")

workload("go", r"""
export GOCACHE=$PWD/cache GOPATH=$PWD/path GOFLAGS=-mod=mod GOPROXY=off; mkdir m && cd m
printf 'module m\n\ngo 1.19\n' >go.mod
cat >m_test.go <<'G'
package m
import ("io"; "net"; "net/http"; "net/http/httptest"; "os"; "os/exec"; "os/signal"; "sync"; "syscall"; "testing"; "time")
func TestGoroutines(t *testing.T) {
	var wg sync.WaitGroup; ch := make(chan int, 10); sum := 0
	for i := 0; i < 1000; i++ { wg.Add(1); go func(n int) { defer wg.Done(); time.Sleep(time.Millisecond); ch <- n }(i) }
	go func() { wg.Wait(); close(ch) }()
	for n := range ch { sum += n }
	if sum != 499500 { t.Fatal(sum) }
}
func TestHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })); defer s.Close()
	r, err := http.Get(s.URL + "/x"); if err != nil { t.Fatal(err) }
	if b, _ := io.ReadAll(r.Body); string(b) != "/x" { t.Fatal(string(b)) }
}
func TestUnix(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir() + "/s"); if err != nil { t.Fatal(err) }
	go func() { c, _ := l.Accept(); io.WriteString(c, "hi"); c.Close() }()
	c, err := net.Dial("unix", l.Addr().String()); if err != nil { t.Fatal(err) }
	if b, _ := io.ReadAll(c); string(b) != "hi" { t.Fatal(string(b)) }
}
func TestProcesses(t *testing.T) {
	if out, err := exec.Command("echo", "in").Output(); err != nil || string(out) != "in\n" { t.Fatal(out, err) }
	c := make(chan os.Signal, 1); signal.Notify(c, syscall.SIGUSR1); syscall.Kill(os.Getpid(), syscall.SIGUSR1); <-c
}
G
go vet ./... && go test ./... && printf 'package main\nfunc main() { println("built") }\n' >main.go && rm m_test.go && go build -o b . && ./b
""", DEFAULT, ["go"], "golang-go", 400, reference=False)

workload("java", r"""
cat >T.java <<'J'
import java.nio.file.*; import java.util.concurrent.*; import java.util.stream.*; import java.net.*; import java.io.*;
public class T {
  public static void main(String[] a) throws Exception {
    if (IntStream.range(0, 100000).parallel().sum() != 704982704) throw new Exception("sum");
    var pool = Executors.newFixedThreadPool(8); var found = pool.invokeAll(Stream.generate(() -> (Callable<Integer>) () -> 7).limit(100).toList());
    int sum = 0; for (var f : found) sum += f.get(); pool.shutdown(); if (sum != 700) throw new Exception("pool");
    try (var s = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
      new Thread(() -> { try (var c = s.accept()) { c.getOutputStream().write('x'); } catch (IOException e) { } }).start();
      try (var c = new Socket(s.getInetAddress(), s.getLocalPort())) { if (c.getInputStream().read() != 'x') throw new Exception("socket"); }
    }
    Files.writeString(Path.of("f"), "x"); var p = new ProcessBuilder("cat", "f").start();
    if (p.getInputStream().read() != 'x' || p.waitFor() != 0) throw new Exception("process");
  }
}
J
javac T.java && java -Xmx256m T
""", DEFAULT, ["javac", "java"], "default-jdk-headless", 300, reference=False)

workload("rust", r"""
cargo new -q --vcs none c && cd c && cat >src/main.rs <<'R'
use std::{io::{Read, Write}, net, process::Command, sync::mpsc, thread};
fn main() { println!("{}", work()); }
fn work() -> u64 {
    let (tx, rx) = mpsc::channel();
    let threads: Vec<_> = (0..8u64).map(|n| { let tx = tx.clone(); thread::spawn(move || tx.send(n * n).unwrap()) }).collect();
    drop(tx); for t in threads { t.join().unwrap(); } rx.iter().sum()
}
#[test] fn threads() { assert_eq!(work(), 140); }
#[test] fn socket() {
    let l = net::TcpListener::bind("127.0.0.1:0").unwrap(); let at = l.local_addr().unwrap();
    let t = thread::spawn(move || l.accept().unwrap().0.write_all(b"hi").unwrap());
    let mut s = String::new(); net::TcpStream::connect(at).unwrap().read_to_string(&mut s).unwrap(); t.join().unwrap(); assert_eq!(s, "hi");
}
#[test] fn process() { assert_eq!(Command::new("echo").arg("in").output().unwrap().stdout, b"in\n"); }
R
cargo test -q --offline && cargo build -q --offline --release && [ "$(target/release/c)" = 140 ]
""", DEFAULT, ["cargo", "rustc", "gcc"], "cargo", 400, reference=False)


PRELUDE = r"""
set -Eeuo pipefail
trap 'echo "line $LINENO: $BASH_COMMAND: $?" >&2' ERR
export FILTER={kind} PATH=/usr/bin:/bin
cd ~/work
"""
FULL = bool(os.environ.get("AGENTSH_FULL"))
# What strict lets through, default does, too (unit/test_jail_syscalls.c): so the strictest filter is enough of a proof.
CASES = [(name, kind) for name, work in WORKLOADS.items() if FULL or work[-1]
         for kind in (work[1] if FULL else work[1][-1:])]


def in_usr(program):
    """What lies outside of /usr is not there inside."""
    path = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin")
    return path is not None and os.path.realpath(path).startswith("/usr/")


def has_python_tests():
    return host.run("/usr/bin/python3", "-c", "import test.test_os").returncode == 0


def put_tree(agent, folder):
    """This project, as it is in git's index: what somebody who clones it builds."""
    archive = agent.data / folder / "tree.tar"
    names = host.run("git", "-c", "safe.directory=*", "-C", host.TOP, "ls-files", "-z", "common", "policy", "make",
                     "Makefile", "VERSION", "docs/man", check=True).stdout
    subprocess.run(["tar", "-C", host.TOP, "--null", "--ignore-failed-read", "-T", "-", "-cf", archive],
                   input=names.encode(), check=True)
    os.chown(archive, agent.uid, agent.gid)


@pytest.mark.parametrize("name,kind", CASES, ids=[f"{n}-{k}".replace(" ", "_") for n, k in CASES])
def test_workload(agent, name, kind):
    script, _, programs, package, timeout, prepare, reference = WORKLOADS[name]
    for program in programs:
        need(in_usr(program), f"{program} is not installed (package {package or program})", reference_machine=reference)
    if name == "python's own tests":
        need(has_python_tests(), f"the tests of python are not installed (package {package})", reference_machine=False)
    agent.policy({"account": {"shell": "/bin/bash"}, "limits": LIMITS, "kernel": {"seccomp": kind}})
    agent.write("work/script", PRELUDE.format(kind=kind) + script + "\necho done-$((40+2))\n")
    if prepare:
        put_tree(agent, "work")
    try:
        done = host.run("su", "-", agent.name, "-c", "bash ~/work/script", env=environment(), timeout=timeout)
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        assert done.returncode == 0 and done.stdout.endswith("done-42\n"), f"status {done.returncode}\n{tail}"
    finally:
        shutil.rmtree(agent.data / "work")
