"""Doctor: what is wrong with a config, and what to change, before a bot trades on it."""

from adaptive_pkg.doctor.checks import examine, refuse_unsafe_start
from adaptive_pkg.doctor.findings import Finding, Severity

__all__ = ["Finding", "Severity", "examine", "refuse_unsafe_start"]
