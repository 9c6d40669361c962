# Guests with systemd as process 1: tests/lab/README.md. LAB_ARGS: --suite NAME, --ref COMMIT, --integration ARGUMENTS.

check-lab:
	$(Q)AGENTSH_BUILD='$(abspath $(O))' PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/lab/run $(LAB_ARGS)

.PHONY: check-lab
