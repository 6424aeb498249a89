"""Frozen settings that check themselves: one declaration gives type, bounds, default and meaning."""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from adaptive_pkg.errors import SettingsError


def param(default: Any, low: float | None = None, high: float | None = None, *, doc: str) -> Any:
    """Declare a setting: its default, its inclusive bounds (None: unbounded) and what it means."""
    metadata = {"low": low, "high": high, "doc": doc}
    if isinstance(default, (dict, list)) or (callable(default) and not isinstance(default, StrEnum)):
        return field(default_factory=default if callable(default) else lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


def section(cls: type) -> Any:
    """Declare a nested group of settings, built from its defaults."""
    return field(default_factory=cls, metadata={"doc": (cls.__doc__ or "").splitlines()[0]})


@dataclass(frozen=True)
class Settings:
    """Base of every group of settings. Checks types and bounds whenever one is built."""

    def __post_init__(self) -> None:
        hints = _hints(type(self))
        for item in fields(self):
            value = getattr(self, item.name)
            checked = _coerce(value, hints[item.name], item.name)
            _check_bounds(checked, item.metadata, item.name)
            if checked is not value:
                object.__setattr__(self, item.name, checked)
        self.check()

    def check(self) -> None:
        """Rules between fields. Raise SettingsError."""


def parse(cls: type, mapping: Mapping[str, Any], path: str) -> Any:
    """Build `cls` from a config mapping. Errors carry the full key, e.g. `adaptive.regime.adx_trend`.

    Raises:
        SettingsError: unknown key (names the nearest valid one), wrong type, or value out of range.
    """
    if not isinstance(mapping, Mapping):
        raise SettingsError(f"{path}: expected an object with named settings, got {mapping!r}")
    hints = _hints(cls)
    known = {item.name: item for item in fields(cls)}
    values: dict[str, Any] = {}
    for key, raw in mapping.items():
        if key not in known:
            raise SettingsError(f"{path}.{key}: unknown setting (value {raw!r}).{_nearest(key, known)}")
        hint = hints[key]
        full = f"{path}.{key}"
        if isinstance(hint, type) and issubclass(hint, Settings):
            values[key] = parse(hint, raw, full)
        else:
            values[key] = _coerce(raw, hint, full)
            _check_bounds(values[key], known[key].metadata, full)
    try:
        return cls(**values)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def describe(cls: type, path: str = "adaptive") -> list[tuple[str, Any, str, str]]:
    """List every setting as (key, default, allowed, meaning), nested groups included."""
    rows: list[tuple[str, Any, str, str]] = []
    hints = _hints(cls)
    for item in fields(cls):
        hint = hints[item.name]
        if isinstance(hint, type) and issubclass(hint, Settings):
            rows += describe(hint, f"{path}.{item.name}")
            continue
        default = item.default if item.default is not MISSING else item.default_factory()  # type: ignore[misc]
        if isinstance(hint, type) and issubclass(hint, StrEnum):
            allowed = " | ".join(hint)
        else:
            allowed = _bounds_text(item.metadata)
        rows.append((f"{path}.{item.name}", default, allowed, item.metadata.get("doc", "")))
    return rows


_HINT_CACHE: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINT_CACHE:
        _HINT_CACHE[cls] = get_type_hints(cls)
    return _HINT_CACHE[cls]


def _coerce(value: Any, hint: Any, name: str) -> Any:
    """Return `value` as `hint`; only lossless conversions (int to float, str to enum, list to tuple)."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(hint):
            return None
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
        return _coerce(value, hint, name)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            raise SettingsError(f"{name}: {value!r} is not a list")
        return tuple(_coerce(item, get_args(hint)[0], name) for item in value)
    if origin is not None:
        return value  # mappings are checked by the group that owns them
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        try:
            return hint(value)
        except ValueError:
            nearest = _nearest(str(value), [str(item) for item in hint])
            raise SettingsError(f"{name}: {value!r} is not one of {', '.join(hint)}.{nearest}") from None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and (type(value) is not hint):
        raise SettingsError(f"{name}: {value!r} is not {_TYPE_NAMES[hint]}")
    return value


_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _check_bounds(value: Any, metadata: Mapping[str, Any], name: str) -> None:
    low, high = metadata.get("low"), metadata.get("high")
    for item in value if isinstance(value, tuple) else (value,):
        if not isinstance(item, (int, float)) or isinstance(item, bool):
            continue
        if not math.isfinite(item) or (low is not None and item < low) or (high is not None and item > high):
            raise SettingsError(f"{name}: {item!r} is outside the allowed range {_bounds_text(metadata)}")


def _bounds_text(metadata: Mapping[str, Any]) -> str:
    low, high = metadata.get("low"), metadata.get("high")
    if low is None and high is None:
        return "any finite value" if "low" in metadata else ""
    return f"[{'-inf' if low is None else low}, {'inf' if high is None else high}]"


def _nearest(key: str, known: Any) -> str:
    match = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    listed = ", ".join(sorted(known))
    return f" Did you mean {match[0]!r}?" if match else f" Valid: {listed}."
