# Compiler flags: each one that a compiler may lack is probed once with a one-line program, and the answers are cached.

CC     ?= cc
probe   = $(shell printf 'int main(void){return 0;}\n' > $(O)/probe.c && \
            $(CC) -Werror $(1) -o $(O)/probe.out $(O)/probe.c >/dev/null 2>&1 && printf '%s' '$(1)')
_      := $(shell mkdir -p $(O))
KEY    := $(shell printf '%s' '$(CC) $(SANITIZE) $(FAULTS) $(PREFIX) $(SYSCONFDIR)' | cksum | cut -d' ' -f1)
# Objects are older than this file when they were made with other settings.
_      := $(shell printf '%s' '$(KEY)' | cmp -s - $(O)/settings || printf '%s' '$(KEY)' > $(O)/settings)

$(O)/flags-$(KEY).mk: make/flags.mk
	$(Q)printf '%s\n' \
	'WARNINGS := $(foreach f,$(WANT_WARNINGS),$(call probe,$(f)))' \
	'HARDEN := $(foreach f,$(WANT_HARDEN),$(call probe,$(f)))' \
	'HARDEN_LINK := $(foreach f,$(WANT_HARDEN_LINK),$(call probe,$(f)))' > $@

WANT_WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes \
                -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings -Wswitch-enum \
                -Wimplicit-fallthrough -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wnull-dereference \
                -Wno-missing-field-initializers
WANT_HARDEN   = -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero \
                -fno-strict-aliasing -fno-delete-null-pointer-checks -fvisibility=hidden
WANT_HARDEN_LINK = -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,separate-code -Wl,--as-needed

-include $(O)/flags-$(KEY).mk

DEFINES  = -D_GNU_SOURCE -DAGENTSH_VERSION='"$(VERSION)"' -DAGENTSH_LIBEXEC_DIR='"$(LIBEXECDIR)"' \
           -DAGENTSH_SHELL_PATH='"$(BINDIR)/agentsh"' -DAGENTSH_CONFIG_DIR='"$(SYSCONFDIR)/agentsh"'
OPTIMIZE = -O2 -g
ifeq ($(SANITIZE),1)
SANITIZERS = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPTIMIZE   = -O1 -g
else
DEFINES   += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
STATIC_PIE = -static-pie
endif
ifeq ($(FAULTS),1)
DEFINES   += -DAGENTSH_FAULTS
endif
# Warnings are errors in the tests' builds (WERROR=-Werror): a newer compiler must not stop an installation.
WERROR   ?=

ALL_CFLAGS  = -std=gnu17 -I. $(DEFINES) $(OPTIMIZE) $(WARNINGS) $(WERROR) $(HARDEN) $(SANITIZERS) $(CFLAGS)
ALL_LDFLAGS = $(HARDEN_LINK) $(SANITIZERS) $(LDFLAGS)
