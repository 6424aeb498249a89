"""The stop report: the same entries under three rules, and honest words on which is better."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.entries import Entries, JudgedPair, Path
from adaptive_pkg.evaluation.outcomes import Exit, Outcomes
from adaptive_pkg.evaluation.stop_rules import (
    DYNAMIC,
    FIXED,
    INITIAL_ONLY,
    StopTrades,
    cvar,
    difference,
    run_rule,
    whipsaws,
)
from adaptive_pkg.reports.judged_pairs import judged_pairs
from adaptive_pkg.reports.stop_quality import build_report, report_stop_quality
from adaptive_pkg.settings import load_settings

SETTINGS = load_settings({"adaptive": {"approach": "by_regime"}})


@pytest.fixture
def datadir(tmp_path, random_candles):
    for seed, pair in enumerate(("BTC_USDT", "ETH_USDT")):
        random_candles(12_000, seed=seed).to_feather(tmp_path / f"{pair}-1h.feather")
    return tmp_path


@pytest.fixture
def judged(datadir):
    return judged_pairs(datadir, None, "1h", SETTINGS, Console(file=io.StringIO()))


def report(datadir, settings=SETTINGS, json_path=None, **kwargs) -> str:
    console = Console(file=io.StringIO(), width=120)
    assert report_stop_quality(datadir, None, "1h", settings, json_path, console, **kwargs) == 0
    return console.file.getvalue()


def test_cvar_is_the_mean_of_the_worst():
    assert cvar(np.arange(100.0)) == 2.0  # 0 … 4
    assert cvar(np.array([3.0, -1.0])) == -1.0  # never an empty tail


def test_a_whipsaw_is_a_recovery_of_the_initial_distance_within_its_candles():
    n = 100
    high = np.full(n, 99.0)
    high[12], high[40] = 101.1, 101.1  # the first within the stop's own candle
    zeros = np.zeros(n)
    path = Path(zeros, zeros, high, np.full(n, 98.0), zeros, zeros, zeros > 0, zeros > 0)
    one = np.array([1])
    entries = Entries(np.array([10]), one, one, one, one > 0, one, one)
    stopped = Outcomes(
        *(np.array([value]) for value in (11, 12, 0, 101.0, 99.0, -0.02, -1.0, 0.02, 0.0, 0.02))
    )
    item = JudgedPair("X/USDT", path, entries)
    assert whipsaws(item, stopped, np.array([2.0])).tolist() == [True]
    assert whipsaws(item, stopped, np.array([2.2])).tolist() == [False]
    early = replace(stopped, exit_at=np.array([40]))  # only its own candle was that high
    assert whipsaws(item, early, np.array([2.0])).tolist() == [False]
    target = replace(stopped, reason=np.array([list(Exit).index(Exit.TARGET)]))
    assert whipsaws(item, target, np.array([2.0])).tolist() == [False]


def test_the_fixed_stop_has_the_same_tail_loss(judged):
    found = {row.rule: row for row in build_report(judged, "1h", SETTINGS).rules}
    assert found[FIXED].cvar5_pct == pytest.approx(found[DYNAMIC].cvar5_pct, rel=0.01)
    assert found[FIXED].trades == found[DYNAMIC].trades == found[INITIAL_ONLY].trades


def test_rules_differ_only_in_the_stop(judged):
    dynamic, still = run_rule(judged, SETTINGS, DYNAMIC), run_rule(judged, SETTINGS, INITIAL_ONLY)
    fixed = run_rule(judged, SETTINGS, FIXED, 0.02)
    np.testing.assert_array_equal(dynamic.stop_fraction, still.stop_fraction)
    np.testing.assert_allclose(fixed.stop_fraction, 0.02)
    stop = list(Exit).index(Exit.STOP)
    # a stop that may also move is hit at least as often, and a still one never yields less than −1 R here
    assert (dynamic.reason == stop).sum() > (still.reason == stop).sum()
    assert set(np.round(still.r[still.reason == stop], 9)) == {-1.0}
    # where a wider fixed stop was hit, a nearer one was too
    wide = run_rule(judged, SETTINGS, FIXED, 0.03)
    assert not ((wide.reason == stop) & (fixed.reason != stop)).any()


def test_paired_intervals_find_a_planted_difference_and_none_between_equals():
    rng = np.random.default_rng(2)
    n = 1500
    base = rng.normal(0, 0.02, n)
    blocks = np.arange(n) // 10
    flags = rng.random(n) < 0.5

    def trades(profit, whipsaw):
        same = np.full(n, 0.02)
        return StopTrades(profit, profit / 0.02, same, same, same, whipsaw, np.zeros(n, dtype=np.int8))

    ours = trades(base + 0.001, flags & (np.arange(n) % 3 > 0))
    found = difference(ours, trades(base, flags), "other", blocks, np.random.default_rng(0))
    assert found.mean_profit_pct.value == pytest.approx(0.1)
    assert found.mean_profit_pct.sign == 1
    assert found.cvar5_pct.sign == 1
    assert found.whipsaws_per_100.sign == -1
    none = difference(ours, ours, "self", blocks, np.random.default_rng(0))
    assert (none.mean_profit_pct.low, none.mean_profit_pct.high) == (0, 0)
    noise = difference(
        ours, trades(rng.permutation(base) + 0.001, flags), "noise", blocks, np.random.default_rng(0)
    )
    assert noise.mean_profit_pct.sign == 0


def test_prints_every_rule_and_an_answer_within_the_width(datadir):
    text = report(datadir)
    assert all(text.count(rule) >= 2 for rule in (DYNAMIC, INITIAL_ONLY, FIXED))
    words = " ".join(text.split())
    assert "At equal tail loss the dynamic stop had" in words
    assert "Moving the stop to breakeven and trailing it" in words
    assert max(len(line) for line in text.splitlines()) <= 120
    assert "nan" not in text
    assert "…" not in text


def test_json_holds_the_printed_figures(datadir):
    target = datadir / "out" / "stops.json"
    text = report(datadir, json_path=target)
    content = json.loads(target.read_text())
    assert content["answer"] in " ".join(text.split())
    for row in content["rules"]:
        assert f"{row['whipsaws_per_100']:.1f}" in text
        assert f"{row['mean_profit_pct']:+.3f}" in text
        assert sorted(row["mae_pct"]) == row["mae_pct"]
    for gap in content["differences"]:
        assert gap["mean_r"]["low"] <= gap["mean_r"]["value"] <= gap["mean_r"]["high"]


def test_a_cap_that_makes_the_tail_is_said(datadir):
    capped = load_settings({"adaptive": {"approach": "by_regime", "stops": {"max_fraction": 0.006}}})
    assert "the tail is that cap" in " ".join(report(datadir, capped).split())


def test_mistakes_are_named(datadir):
    off = load_settings({"adaptive": {"approach": "by_regime", "components": {"dynamic_stops": False}}})
    with pytest.raises(SettingsError, match=r"components\.dynamic_stops is off"):
        report(datadir, off)
    with pytest.raises(DataError, match="a tail of 5 % needs at least 100"):
        report(datadir, timerange="20220301-20220315")


@pytest.mark.real_data
def test_real_candles_are_answered(real_datadir, tmp_path):
    report(real_datadir, json_path=tmp_path / "s.json", timerange="20220101-20240101")
    content = json.loads((tmp_path / "s.json").read_text())
    rules = {row["rule"]: row for row in content["rules"]}
    assert rules[DYNAMIC]["trades"] > 800
    assert rules[FIXED]["cvar5_pct"] == pytest.approx(rules[DYNAMIC]["cvar5_pct"], abs=0.02)
    assert rules[DYNAMIC]["whipsaws_per_100"] > rules[INITIAL_ONLY]["whipsaws_per_100"]
