# agentsh: plain GNU make. `make help` lists the targets.
#
#   O=DIR       where objects and programs go (default: build)       V=1         show every command
#   PREFIX=     /usr/local     DESTDIR=    staging root               CC=clang    the other compiler
#   SANITIZE=1  ASan and UBSan   FAULTS=1  fault injection points (tests only, never installed)

.DEFAULT_GOAL := all

O          ?= build
# One name for each object, whichever way the directory is written: what is noted of its headers goes by that name.
override O := $(abspath $(O))
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=
VERSION    := $(shell cat VERSION)
BINDIR      = $(PREFIX)/bin
SBINDIR     = $(PREFIX)/sbin
LIBEXECDIR  = $(PREFIX)/lib/agentsh
MANDIR      = $(PREFIX)/share/man
COMPLETIONDIR = $(PREFIX)/share/bash-completion/completions

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

include make/flags.mk

PROGRAMS = $(O)/agentsh $(O)/agentsh-init $(O)/agentsh-monitor $(O)/agentshctl $(O)/agentsh-probe $(O)/pam_agentsh.so
# The tier vm.
PROGRAMS += $(O)/agentsh-launch $(O)/agentsh-relay $(O)/agentsh-guest

all: $(PROGRAMS) $(O)/man/agentsh.ini.5

include make/objects.mk
include make/probe.mk
include make/test.mk
include make/install.mk
include make/check.mk
include make/lint.mk
include make/lab.mk

help:
	@printf '%s\n' \
	'all            the programs, the PAM module, the man pages' \
	'check          unit tests, fuzzing corpus, rules of the tree (no root needed)' \
	'check-root     the integration tests, through the real sshd and su (root)' \
	'fuzz           each fuzzer for FUZZ_SECONDS (default 60)' \
	'lint           clang-tidy, cppcheck, gcc -fanalyzer, shellcheck, clang-format' \
	'format         applies .clang-format' \
	'bench          benchmarks against peers (root)' \
	'install        into DESTDIR/PREFIX; uninstall removes it again' \
	'clean          removes O'

clean:
	$(Q)rm -rf $(O)

.PHONY: all help clean check check-root fuzz lint bench install uninstall
.DELETE_ON_ERROR:
