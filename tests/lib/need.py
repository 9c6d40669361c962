"""Skips with a reason. With AGENTSH_MUST_RUN=1 or CI=true, what the reference machine can do must not be skipped."""
import pytest

import host


def need(condition, reason, reference_machine=True):
    """Skip unless condition. `reference_machine`: Debian 12 with the test packages can do it, so CI must."""
    if condition:
        return
    if reference_machine and host.must_run():
        pytest.fail(f"must not be skipped here: {reason}", pytrace=False)
    pytest.skip(reason)


def need_program(name, package=None):
    need(host.have(name), f"{name} is not installed" + (f" (package {package})" if package else ""))
