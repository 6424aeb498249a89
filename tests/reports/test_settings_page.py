"""The configuration reference: every setting is in it, with what an approach or a profile makes of it."""

import re

import pytest

from adaptive_pkg import cli
from adaptive_pkg.enums import Approach, Profile, Regime
from adaptive_pkg.reports.settings_page import FORECAST_PATH, settings_page, settings_rows
from adaptive_pkg.settings import (
    AdaptiveSettings,
    ForecastSettings,
    Preset,
    StopSettings,
    describe,
    load_settings,
)


@pytest.fixture(scope="module")
def sections():
    """Body of each section by its heading."""
    parts = re.split(r"^## (.+)$", settings_page(), flags=re.MULTILINE)
    return dict(zip([head.strip("`") for head in parts[1::2]], parts[2::2], strict=True))


def row(body, name):
    (line,) = [line for line in body.splitlines() if line.startswith(f"| `{name}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_setting_has_one_row_with_its_meaning(sections):
    rows = describe(AdaptiveSettings) + describe(ForecastSettings, FORECAST_PATH)
    for key, _, _, meaning in rows:
        path, _, name = key.rpartition(".")
        if key != "adaptive.presets":
            assert row(sections[path], name)[3] == meaning.replace("|", "\\|"), key


def test_a_default_is_what_a_config_without_it_gets(sections):
    used = load_settings({}).stops.max_fraction
    assert used != StopSettings().max_fraction, "approach and profile set it"
    assert row(sections["adaptive.stops"], "max_fraction")[1] == f"`{used}` †"
    assert row(sections["adaptive.sizing"], "max_leverage")[1] == "`3.0`"


def test_what_approach_and_profile_set_is_side_by_side(sections):
    body = sections["What approach and profile set"]
    wanted = [
        load_settings({"adaptive": {"approach": approach, "profile": profile}}).stops.max_fraction
        for approach in Approach
        for profile in Profile
    ]
    assert row(body, "adaptive.stops.max_fraction")[1:] == [f"`{value}`" for value in wanted]
    assert len(set(wanted)) > 3
    assert "adaptive.sizing.max_leverage" not in body


def test_each_preset_setting_has_its_bounds_and_both_approaches_defaults(sections):
    body = sections["adaptive.presets.<regime>"]
    for key, *_ in describe(Preset, ""):
        lines = [line for line in body.splitlines() if line.startswith(f"| `{key[1:]}` |")]
        assert len(lines) == 3, key  # meaning, and a table for each approach
        assert all(line.count("|") == len(Regime) + 2 for line in lines[1:])


def test_bounds_are_in_words_where_a_setting_has_no_numbers(sections):
    assert row(sections["adaptive.components"], "ladder")[2] == "true, false"
    assert row(sections["adaptive.sources"], "path")[2] == "a text"
    assert row(sections["adaptive.sources.reddit"], "subreddits")[2] == "a list of texts"
    assert row(sections[FORECAST_PATH], "units")[2] == "a list; each in [1, 1024]"
    assert row(sections["adaptive.sizing"], "mode")[2] == "risk, notional"


def test_the_command_prints_the_page_and_nothing_else(capsys):
    assert cli.main(["settings", "--markdown"]) == 0
    assert capsys.readouterr().out == settings_page()


def test_the_rows_of_a_terminal_show_the_same_defaults(sections):
    rows = {key: default for key, default, *_ in settings_rows()}
    wanted = describe(AdaptiveSettings) + describe(Preset, "adaptive.presets.<regime>")
    wanted += describe(ForecastSettings, FORECAST_PATH)
    assert set(rows) == {key for key, *_ in wanted} - {"adaptive.presets"}
    for key, default in rows.items():
        path, _, name = key.rpartition(".")
        if not key.startswith("adaptive.presets."):
            assert row(sections[path], name)[1].removesuffix(" †") == f"`{default}`", key
    sizes = [preset.size_multiplier for preset in load_settings({}).presets.values()]
    assert rows["adaptive.presets.<regime>.size_multiplier"] == ", ".join(map(str, sizes))
