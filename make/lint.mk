# Static checks. Every tool that is missing is an error that names its package: a check that did not run has not passed.
# LINT_FILES="a.c b.c" checks just these.

C_FILES    = $(sort $(wildcard common/*.c policy/*.c monitor/*.c shell/*.c pam_module/*.c admin/*.c vm/*.c))
TEST_FILES = $(sort $(wildcard tests/unit/*.c tests/fuzz/*.c probe/*.c tests/probes/*.c tests/bench/*.c tests/lib/*.c \
               tests/mutation/*.c))
H_FILES    = $(sort $(wildcard common/*.h policy/*.h monitor/*.h shell/*.h pam_module/*.h admin/*.h vm/*.h probe/*.h tests/*/*.h))
LINT_FILES ?= $(C_FILES)
SH_FILES   = $(sort install.sh .ci/run $(wildcard etc/init.d/* make/*.sh tests/*.sh tests/run tests/*/*.sh))

# What the analysers cannot see across files; error.c itself is where it is so.
assume = $(if $(filter common/error.c,$(1)),,-include tests/lint/assume.h)

need = command -v $(1) >/dev/null || { echo "lint: $(1) is missing: apt-get install $(2)" >&2; exit 1; }

lint: lint-tree lint-shell lint-format lint-analyzer lint-cppcheck lint-tidy

lint-tree:
	$(say) LINT 'rules of the tree'
	$(Q)set -e; for t in tests/lint/*.sh; do bash "$$t"; done

lint-shell:
	@$(call need,shellcheck,shellcheck)
	$(say) LINT shellcheck
	$(Q)shellcheck -x $(wildcard $(SH_FILES))
	$(Q)shellcheck -s bash $(wildcard etc/bash_completion/*)

lint-format:
	@$(call need,clang-format,clang-format)
	$(say) LINT clang-format
	$(Q)clang-format --dry-run --Werror $(LINT_FILES) $(TEST_FILES) $(H_FILES)

format:
	@$(call need,clang-format,clang-format)
	$(Q)clang-format -i $(C_FILES) $(TEST_FILES) $(H_FILES)

# The stamps make a second run check only what changed.
lint-analyzer: $(LINT_FILES:%.c=$(O)/lint/analyzer/%.ok)
lint-tidy: $(LINT_FILES:%.c=$(O)/lint/tidy/%.ok)

# cppcheck and gcc 12's analyzer do not know cleanup attributes: their leak checks report every early return.
ANALYZER_FLAGS = -fanalyzer -Wno-analyzer-fd-leak -Wno-analyzer-malloc-leak -Wno-analyzer-file-leak \
                 -Wno-unused-function
$(O)/lint/analyzer/%.ok: %.c $(H_FILES) make/lint.mk
	@$(call need,gcc,gcc)
	$(say) ANALYZE $<
	$(Q)mkdir -p $(@D)
	$(Q)gcc -std=gnu17 -I. $(DEFINES) -O2 -Wall -Werror $(ANALYZER_FLAGS) $(call assume,$<) \
	    -c -o $(@:.ok=.o) $< && touch $@

# Five calls deep by default: too few to see how an error comes back.
DEEP = -Xclang -analyzer-inline-max-stack-depth -Xclang 12
$(O)/lint/tidy/%.ok: %.c $(H_FILES) .clang-tidy make/lint.mk
	@$(call need,clang-tidy,clang-tidy)
	$(say) TIDY $<
	$(Q)mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- -std=gnu17 -I. -x c $(DEFINES) $(call assume,$<) $(DEEP) 2>$(@:.ok=.err) || \
	    { cat $(@:.ok=.err) >&2; exit 1; }
	$(Q)touch $@

lint-cppcheck:
	@$(call need,cppcheck,cppcheck)
	$(say) LINT cppcheck
	$(Q)mkdir -p $(O)/lint/cppcheck
	$(Q)cppcheck --quiet --std=c11 --language=c -I. $(DEFINES) --enable=warning,performance,portability \
	    --inline-suppr --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=memleak \
	    -D__x86_64__=1 -D__linux__=1 --error-exitcode=1 \
	    --cppcheck-build-dir=$(O)/lint/cppcheck $(LINT_FILES)

.PHONY: lint lint-tree lint-shell lint-format lint-analyzer lint-tidy lint-cppcheck format
