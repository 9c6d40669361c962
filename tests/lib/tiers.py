"""The tiers that this version has, and the mark of a test (class, file) that runs in each of them."""
import pytest

TIERS = ("jail", "chroot")
BOTH = pytest.mark.parametrize("tier", TIERS, indirect=True)
