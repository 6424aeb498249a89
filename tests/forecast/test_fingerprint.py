from __future__ import annotations

from dataclasses import fields, replace
from enum import StrEnum

import pytest

from adaptive_pkg.forecast import changes, fingerprint
from adaptive_pkg.settings import ForecastSettings

DEFAULT = ForecastSettings()


@pytest.mark.parametrize("name", [field.name for field in fields(ForecastSettings)])
def test_every_setting_changes_the_fingerprint(name):
    value = getattr(DEFAULT, name)
    if isinstance(value, tuple):
        other = (*value, 7)
    elif isinstance(value, StrEnum):
        other = next(item for item in type(value) if item is not value)
    elif isinstance(value, bool):
        other = not value
    elif isinstance(value, int):
        other = value + 1
    else:
        other = value * 0.9
    assert fingerprint(replace(DEFAULT, **{name: other})) != fingerprint(DEFAULT)


def test_order_of_keys_does_not_matter_and_the_hash_is_short():
    assert fingerprint({"a": 1, "b": (2, 3)}) == fingerprint({"b": [2, 3], "a": 1})
    assert len(fingerprint(DEFAULT)) == 12


def test_changes_name_the_nested_key():
    old, new = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 4}, "e": 5}
    assert changes(old, new) == ["a.c: 2 → 4", "d: 3 → None", "e: None → 5"]
