#!/bin/bash
# Calls that this tree does not use, and close-on-exec on everything that makes a file descriptor.
set -euo pipefail
cd "$(dirname "$0")/../.."
shopt -s nullglob

files=(common/*.c policy/*.c monitor/*.c shell/*.c pam_module/*.c admin/*.c vm/*.c)
[ ${#files[@]} -gt 0 ] || { echo "calls: no source files found" >&2; exit 1; }

perl - "${files[@]}" <<'PERL'
use strict;
use warnings;

my $failed = 0;
# No shell, no unbounded copy, no conversion that accepts nonsense, no predictable name, no fd without close-on-exec.
my $banned = qr/\b(system|popen|gets|sprintf|vsprintf|strcat|strncpy|alloca|mktemp|tmpnam|tempnam|atoi|atol|atoll|atof
                  |strtok|getwd|vfork|pipe|dup|accept|epoll_create|inotify_init|signalfd4|creat)\s*\(/x;
my %cloexec = (open => 'O_CLOEXEC', openat => 'O_CLOEXEC', socket => 'SOCK_CLOEXEC', socketpair => 'SOCK_CLOEXEC',
               accept4 => 'SOCK_CLOEXEC', pipe2 => 'O_CLOEXEC', memfd_create => 'MFD_CLOEXEC',
               epoll_create1 => 'EPOLL_CLOEXEC', eventfd => 'EFD_CLOEXEC', signalfd => 'SFD_CLOEXEC',
               timerfd_create => 'TFD_CLOEXEC', inotify_init1 => 'IN_CLOEXEC', fsopen => 'FSOPEN_CLOEXEC',
               open_tree => 'OPEN_TREE_CLOEXEC', fsmount => 'FSMOUNT_CLOEXEC');
my $creators = join '|', keys %cloexec;
# The exceptions: what it is, and why.
my %allowed = (
    'common/fd.c:"/dev/null"' => 'standard input, output and error must stay open',
);

for my $file (@ARGV) {
    open(my $in, '<', $file) or die "calls: $file: $!\n";
    my $text = do { local $/; <$in> };
    # Comments and strings become blanks of the same length, so that line numbers stay; the strings are kept aside.
    my $code = $text;
    $code =~ s{(/\*.*?\*/|//[^\n]*)}{ (my $c = $1) =~ s/[^\n]/ /g; $c }gse;
    (my $bare = $code) =~ s{"(?:\\.|[^"\\\n])*"}{ '"' . ('_' x (length($&) - 2)) . '"' }ge;
    while ($bare =~ /$banned/g) {
        my $line = 1 + (substr($bare, 0, $-[0]) =~ tr/\n//);
        print STDERR "calls: $file:$line: $1() is not used in this tree\n";
        $failed = 1;
    }
    while ($bare =~ /(?<![\w.>])($creators)\s*(\((?:[^()]++|(?2))*\))/g) {
        my ($name, $start, $length) = ($1, $-[2], $+[2] - $-[2]);
        my $args = substr($code, $start, $length);
        next if $args =~ /CLOEXEC/;
        # A function of ours that takes the flags, or a prototype.
        next if $args =~ /\bflags\b/;
        next if grep { my ($f, $t) = split /:/, $_, 2; $f eq $file && index($args, $t) >= 0 } keys %allowed;
        my $line = 1 + (substr($bare, 0, $start) =~ tr/\n//);
        print STDERR "calls: $file:$line: $name() without $cloexec{$name}\n";
        $failed = 1;
    }
}
exit $failed;
PERL
