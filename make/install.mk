# Installing: everything goes below DESTDIR, and `uninstall` removes exactly what `install` put there. A file under
# SYSCONFDIR/agentsh that an administrator changed is never overwritten (the new one is put beside it as FILE.new) and
# never removed. Nothing is started, enabled or registered here: that is install.sh's work, or a package's.

# Where the host's other parts look. Found, not guessed: each can be set on the command line.
STATEDIR      ?= /var/lib/agentsh
LOGDIR        ?= /var/log/agentsh
PAMPROFILEDIR ?= /usr/share/pam-configs
INITDIR       ?= $(SYSCONFDIR)/init.d
SHAREDIR       = $(PREFIX)/share/agentsh
CONFDIR        = $(SYSCONFDIR)/agentsh
PAMDIR        ?= $(firstword $(foreach d,$(PAM_CANDIDATES),$(if $(wildcard $(d)/pam_unix.so),$(d))) /usr/lib/security)
PAM_CANDIDATES = $(shell pkg-config --variable=moduledir pam 2>/dev/null) \
                 $(addsuffix /security,$(addprefix /usr/lib/,$(shell $(CC) -print-multiarch 2>/dev/null)) \
                 $(addprefix /lib/,$(shell $(CC) -print-multiarch 2>/dev/null)) \
                 /usr/lib64 /lib64 $(shell pkg-config --variable=libdir pam 2>/dev/null) /usr/lib /lib) \
                 $(wildcard /usr/lib/*/security /lib/*/security)
# systemd reads units and tmpfiles below /usr and /usr/local; for any other prefix only /etc is left.
ifneq ($(filter /usr /usr/local,$(PREFIX)),)
UNITDIR       ?= $(PREFIX)/lib/systemd/system
TMPFILESDIR   ?= $(PREFIX)/lib/tmpfiles.d
else
UNITDIR       ?= $(SYSCONFDIR)/systemd/system
TMPFILESDIR   ?= $(SYSCONFDIR)/tmpfiles.d
endif

# FILE:DIRECTORY:MODE, one word for each file. The same list serves install and uninstall.
UNITS      = agentsh.socket agentsh@.service agentsh.slice agentsh-guard.service
MAN_PAGES  = $(wildcard docs/man/*.[1-8]) $(O)/man/agentsh.ini.5
SHIP       = $(O)/agentsh:$(BINDIR):0755 \
             $(O)/agentsh-init:$(LIBEXECDIR):0755 \
             $(O)/agentsh-monitor:$(LIBEXECDIR):0755 \
             $(O)/agentsh-probe:$(LIBEXECDIR):0755 \
             $(O)/agentsh-launch:$(LIBEXECDIR):0755 \
             $(O)/agentsh-relay:$(LIBEXECDIR):0755 \
             $(O)/agentsh-guest:$(LIBEXECDIR):0755 \
             $(O)/agentshctl:$(SBINDIR):0755 \
             $(O)/pam_agentsh.so:$(PAMDIR):0644 \
             $(foreach u,$(UNITS),$(O)/etc/systemd/$(u):$(UNITDIR):0644) \
             $(O)/etc/tmpfiles.d/agentsh.conf:$(TMPFILESDIR):0644 \
             $(O)/etc/init.d/agentsh:$(INITDIR):0755 \
             $(foreach m,$(MAN_PAGES),$(m):$(MANDIR)/man$(subst .,,$(suffix $(m))):0644) \
             $(foreach f,$(wildcard etc/logrotate.d/*),$(f):$(SYSCONFDIR)/logrotate.d:0644) \
             $(foreach f,$(wildcard etc/sshd_config.d/*.conf),$(f):$(SHAREDIR)/sshd_config.d:0644) \
             $(foreach f,$(wildcard etc/pam-configs/*),$(f):$(PAMPROFILEDIR):0644) \
             $(foreach f,$(wildcard etc/bash_completion/*),$(f):$(COMPLETIONDIR):0644) \
             $(foreach f,$(wildcard etc/accounts/*),$(f):$(SHAREDIR)/examples:0644)
# What an administrator edits: FILE:DIRECTORY. A pristine copy in SHAREDIR/etc tells an edited file from ours.
CONFIGURE  = $(foreach f,$(wildcard etc/agentsh.ini),$(f):$(CONFDIR)) \
             $(foreach f,$(wildcard etc/templates/*.ini),$(f):$(CONFDIR)/templates)

word_1 = $(word 1,$(subst :, ,$(1)))
word_2 = $(word 2,$(subst :, ,$(1)))
word_3 = $(word 3,$(subst :, ,$(1)))
target = $(DESTDIR)$(call word_2,$(1))/$(notdir $(call word_1,$(1)))
pristine = $(DESTDIR)$(SHAREDIR)/etc/$(patsubst etc/%,%,$(call word_1,$(1)))

define newline


endef

# One rule makes every file under etc/ that names an installed path.
GENERATED = $(foreach f,$(addprefix systemd/,$(UNITS)) tmpfiles.d/agentsh.conf init.d/agentsh,$(O)/etc/$(f))
$(GENERATED): $(O)/etc/%: etc/% $(O)/install-paths
	$(Q)mkdir -p $(@D)
	$(Q)sed -e 's,@LIBEXECDIR@,$(LIBEXECDIR),g' -e 's,@SBINDIR@,$(SBINDIR),g' -e 's,@BINDIR@,$(BINDIR),g' \
	    -e 's,@SYSCONFDIR@,$(SYSCONFDIR),g' -e 's,@STATEDIR@,$(STATEDIR),g' -e 's,@LOGDIR@,$(LOGDIR),g' $< > $@

# Changes only when the paths do, so that another PREFIX makes the files again.
INSTALL_PATHS := $(LIBEXECDIR) $(SBINDIR) $(BINDIR) $(SYSCONFDIR) $(STATEDIR) $(LOGDIR)
$(O)/install-paths: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' '$(INSTALL_PATHS)' | cmp -s - $@ || printf '%s\n' '$(INSTALL_PATHS)' > $@

define install_one
	$(Q)umask 022 && install -D -p -m $(call word_3,$(1)) '$(call word_1,$(1))' '$(call target,$(1))'$(newline)
endef
define configure_one
	$(Q)umask 022 && \
	    sh make/install_config.sh '$(call word_1,$(1))' '$(call target,$(1))' '$(call pristine,$(1))'$(newline)
endef
define remove_one
	$(Q)rm -f '$(call target,$(1))'$(newline)
endef
define unconfigure_one
	$(Q)sh make/install_config.sh --remove '$(call word_1,$(1))' '$(call target,$(1))' '$(call pristine,$(1))'$(newline)
endef

install: $(PROGRAMS) $(O)/man/agentsh.ini.5 $(GENERATED)
	$(say) INSTALL '$(DESTDIR)$(PREFIX)'
	$(foreach s,$(SHIP),$(call install_one,$(s)))
	$(Q)umask 022 && install -d -m 0755 '$(DESTDIR)$(CONFDIR)' '$(DESTDIR)$(CONFDIR)/accounts' \
	    '$(DESTDIR)$(CONFDIR)/keys' '$(DESTDIR)$(CONFDIR)/templates'
	$(Q)umask 022 && install -d -m 0700 '$(DESTDIR)$(STATEDIR)' '$(DESTDIR)$(STATEDIR)/homes' '$(DESTDIR)$(LOGDIR)'
	$(foreach c,$(CONFIGURE),$(call configure_one,$(c)))

# Directories go only when they are empty: accounts, keys, homes and logs are the administrator's.
uninstall:
	$(Q)if [ -z '$(DESTDIR)' ] && grep -lsE '^[^#]*pam_agentsh\.so' /etc/pam.d/*; then echo \
	    'uninstall: PAM still calls pam_agentsh.so; without it nobody could log in. Use ./install.sh --uninstall' >&2; \
	    exit 1; fi
	$(say) REMOVE '$(DESTDIR)$(PREFIX)'
	$(foreach c,$(CONFIGURE),$(call unconfigure_one,$(c)))
	$(foreach s,$(SHIP),$(call remove_one,$(s)))
	$(Q)for d in '$(SHAREDIR)/etc/templates' '$(SHAREDIR)/etc' '$(SHAREDIR)/sshd_config.d' '$(SHAREDIR)/examples' \
	    '$(SHAREDIR)' '$(LIBEXECDIR)' '$(CONFDIR)/templates' '$(CONFDIR)/keys' '$(CONFDIR)/accounts' '$(CONFDIR)' \
	    '$(STATEDIR)/homes' '$(STATEDIR)' '$(LOGDIR)'; do \
	        rmdir "$(DESTDIR)$$d" 2>/dev/null || true; done

# For scripts that need to know where things went: NAME=VALUE lines.
install-vars:
	@printf '%s\n' 'BINDIR=$(BINDIR)' 'SBINDIR=$(SBINDIR)' 'LIBEXECDIR=$(LIBEXECDIR)' 'SHAREDIR=$(SHAREDIR)' \
	    'CONFDIR=$(CONFDIR)' 'STATEDIR=$(STATEDIR)' 'LOGDIR=$(LOGDIR)' 'PAMDIR=$(PAMDIR)' 'UNITDIR=$(UNITDIR)' \
	    'TMPFILESDIR=$(TMPFILESDIR)' 'INITDIR=$(INITDIR)' 'PAMPROFILEDIR=$(PAMPROFILEDIR)'

FORCE:
.PHONY: FORCE install-vars
