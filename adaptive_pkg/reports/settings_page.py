"""Every setting with default, bounds and meaning: `docs/configuration.md`, and rows for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from adaptive_pkg.enums import Approach, Profile, Regime
from adaptive_pkg.settings import (
    AdaptiveSettings,
    ForecastSettings,
    Preset,
    Settings,
    describe,
    load_settings,
)

REGENERATE = "adaptive settings --markdown > docs/configuration.md"
FORECAST_PATH = "freqai.model_training_parameters"
_VARIANTS = tuple((approach, profile) for approach in Approach for profile in Profile)
_CHOICES = ("adaptive.approach", "adaptive.profile")
_PRESETS = "adaptive.presets"

_INTRO = f"""# Configuration reference

This page is generated: after a change of the settings write it anew with

```text
{REGENERATE}
```

`adaptive settings` prints the same list in a terminal.

The bundle's settings stand in the block `adaptive` of a freqtrade config, the network's in
`{FORECAST_PATH}`. A dotted key below names the blocks on the way to a setting:

```json
{{
    "adaptive": {{
        "profile": "moderate",
        "portfolio": {{"max_heat": 0.04}},
        "presets": {{"choppy": {{"pause": true}}}},
        "components": {{"ladder": false}}
    }},
    "freqai": {{"model_training_parameters": {{"epochs": 10}}}}
}}
```

What is not written has its default. A later layer wins over an earlier one: the defaults, what
`adaptive.approach` and `adaptive.profile` set, the config, and last a hyperopt result
(`user_data/strategies/AdaptiveGRU.json`). Several `--config` files are merged by freqtrade, later ones over
earlier ones. A key that does not exist, a value of another type or out of its bounds stops the start, with
the key, the value, what is allowed, and the key that was probably meant. Bounds are inclusive; `inf`: none.
`adaptive doctor` checks a whole config without starting anything.
"""


def settings_rows() -> list[tuple[str, str, str, str]]:
    """Every setting as (key, default, allowed, meaning), all of it text.

    A default is what a config that says nothing gets. A preset's are one, or one for each regime in order.
    """
    shipped = load_settings({})
    defaults = dict(_flat(shipped, "adaptive")) | dict(_flat(ForecastSettings(), FORECAST_PATH))
    rows = []
    for key, _, allowed, meaning in describe(AdaptiveSettings) + describe(ForecastSettings, FORECAST_PATH):
        if key == _PRESETS:
            rows += _preset_rows(shipped)
        else:
            rows.append((key, json.dumps(defaults[key]), _allowed(defaults[key], allowed), meaning))
    return rows


def _preset_rows(shipped: AdaptiveSettings) -> Iterator[tuple[str, str, str, str]]:
    for key, default, allowed, meaning in describe(Preset, f"{_PRESETS}.<regime>"):
        name = key.rpartition(".")[2]
        values = [json.dumps(getattr(shipped.presets[regime], name)) for regime in Regime]
        shown = values[0] if len(set(values)) == 1 else ", ".join(values)
        yield key, shown, _allowed(default, allowed), meaning


def settings_page() -> str:
    """The page as Markdown, ending in a newline."""
    values = {variant: dict(_flat(_loaded(*variant), "adaptive")) for variant in _VARIANTS}
    shipped = load_settings({})
    defaults = values[shipped.approach, shipped.profile]
    varying = [
        key for key in defaults if key not in _CHOICES and len({repr(v[key]) for v in values.values()}) > 1
    ]
    parts = [_INTRO, _choices_table(values, varying, shipped)]
    parts += _sections(AdaptiveSettings(), "adaptive", defaults, frozenset(varying))
    parts.insert(3, _presets_section())
    parts += _sections(
        ForecastSettings(), FORECAST_PATH, dict(_flat(ForecastSettings(), FORECAST_PATH)), frozenset()
    )
    return "\n".join(parts)


def _loaded(approach: Approach, profile: Profile) -> AdaptiveSettings:
    return load_settings({"adaptive": {"approach": str(approach), "profile": str(profile)}})


def _flat(group: Settings, path: str) -> Iterator[tuple[str, Any]]:
    """Every value of a group and its groups, by dotted key; the presets have a table of their own."""
    for item in fields(group):
        value, key = getattr(group, item.name), f"{path}.{item.name}"
        if isinstance(value, Settings):
            yield from _flat(value, key)
        elif not isinstance(value, Mapping):
            yield key, value


def _choices_table(
    values: Mapping[tuple[Approach, Profile], Mapping[str, Any]],
    varying: list[str],
    shipped: AdaptiveSettings,
) -> str:
    """What the approaches and profiles set, one column each."""
    head = ["setting", *(f"`{approach}`, {profile}" for approach, profile in _VARIANTS)]
    rows = [[f"`{key}`", *(_shown(values[variant][key]) for variant in _VARIANTS)] for key in varying]
    return (
        "## What approach and profile set\n\n"
        f"The default is `{shipped.approach}` with `{shipped.profile}`. "
        "The approaches' presets differ too, see further down.\n\n" + _table(head, rows)
    )


def _sections(
    group: Settings, path: str, defaults: Mapping[str, Any], varying: frozenset[str]
) -> Iterator[str]:
    """One section for the group's own settings, then one for each group in it."""
    meanings = {key: (allowed, meaning) for key, _, allowed, meaning in describe(type(group), path)}
    rows, inner = [], []
    for item in fields(group):
        value, key = getattr(group, item.name), f"{path}.{item.name}"
        if isinstance(value, Settings):
            inner.append((value, key))
        elif key != _PRESETS:
            allowed, meaning = meanings[key]
            mark = " †" if key in varying else ""
            shown = _shown(defaults[key]) + mark
            rows.append([f"`{item.name}`", shown, _allowed(defaults[key], allowed), meaning])
    text = f"## `{path}`\n\n{(type(group).__doc__ or '').splitlines()[0]}\n"
    if rows:
        text += "\n" + _table(["setting", "default", "allowed", "meaning"], rows)
    if any(row[1].endswith("†") for row in rows):
        text += "\n† approach or profile set it: see the table above.\n"
    yield text
    for value, key in inner:
        yield from _sections(value, key, defaults, varying)


def _presets_section() -> str:
    """Each preset setting, its default in every regime by approach, its bounds and its meaning."""
    text = f"## `{_PRESETS}.<regime>`\n\n{(Preset.__doc__ or '').splitlines()[0]} "
    text += "A config overrides any one value of any one regime.\n\n"
    described = describe(Preset, f"{_PRESETS}.<regime>")
    rows = [
        [f"`{key.rpartition('.')[2]}`", _allowed(default, allowed), meaning]
        for key, default, allowed, meaning in described
    ]
    text += _table(["setting", "allowed", "meaning"], rows)
    for approach in Approach:
        presets = _loaded(approach, Profile.CONSERVATIVE).presets
        names = [key.rpartition(".")[2] for key, *_ in described]
        rows = [
            [f"`{name}`", *(_shown(getattr(presets[regime], name)) for regime in Regime)] for name in names
        ]
        text += f"\nDefaults of `{approach}`:\n\n" + _table(["setting", *map(str, Regime)], rows)
    return text


def _shown(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _allowed(default: Any, allowed: str) -> str:
    """The bounds; by the type where a setting has none."""
    if isinstance(default, bool):
        return "true, false"
    if isinstance(default, str) and " | " not in allowed:
        return "a text"
    if isinstance(default, tuple):
        of_texts = default and isinstance(default[0], str)
        return "a list of texts" if of_texts else f"a list; each in {allowed}"
    return ", ".join(allowed.split(" | "))


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
