"""A short hash of everything a forecast depends on, so that stale predictions are not taken for new ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

DIGITS = 12
# In a FreqAI identifier folder: what its models and predictions were made from.
FINGERPRINT_FILE = "forecaster.json"


def fingerprint(settings: Any) -> str:
    """Hash of a settings dataclass or a mapping that JSON can hold; key order does not matter."""
    return hashlib.sha256(canonical(settings).encode()).hexdigest()[:DIGITS]


def canonical(settings: Any) -> str:
    """The same settings as the same JSON text."""
    value = asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else settings
    return json.dumps(value, sort_keys=True, default=str)


def changes(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[str]:
    """Which keys differ, as `key: old → new` lines, nested mappings with dotted keys."""
    lines: list[str] = []
    for key in sorted(set(old) | set(new)):
        before, after, name = old.get(key), new.get(key), f"{path}{key}"
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += changes(before, after, f"{name}.")
        elif canonical(before) != canonical(after):
            lines.append(f"{name}: {before} → {after}")
    return lines
