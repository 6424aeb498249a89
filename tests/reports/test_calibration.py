"""The calibration report: candles on disk in, tables, a plain answer and JSON out."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.reports.calibration import (
    ScoredTrades,
    build_report,
    report_calibration,
    scored_trades,
)
from adaptive_pkg.reports.judged_pairs import judged_pairs
from adaptive_pkg.settings import load_settings

SETTINGS = load_settings({"adaptive": {"approach": "by_regime"}})


@pytest.fixture(scope="module")
def quiet():
    return Console(file=io.StringIO(), width=120)


@pytest.fixture
def datadir(tmp_path, random_candles):
    for seed, pair in enumerate(("BTC_USDT", "ETH_USDT")):
        random_candles(6000, seed=seed).to_feather(tmp_path / f"{pair}-1h.feather")
    return tmp_path


def report(datadir, settings=SETTINGS, **kwargs) -> str:
    console = Console(file=io.StringIO(), width=120)
    arguments = {"pairs": None, "timeframe": "1h", "json_path": None, **kwargs}
    assert report_calibration(datadir, settings=settings, console=console, **arguments) == 0
    return console.file.getvalue()


def made_trades(slope, n=2000, gain=1.5):
    """Trades whose chance to win rises with the score by `slope`."""
    rng = np.random.default_rng(3)
    score = rng.uniform(0.3, 0.9, n)
    r = np.where(rng.random(n) < 0.4 + slope * (score - 0.6), gain, -1.0)
    at = np.datetime64("2020-01-01", "ns") + np.arange(n) // 10 * np.timedelta64(1, "D")
    return ScoredTrades(
        pair=np.full(n, "BTC/USDT", dtype=object), score=score, regime=np.zeros(n, dtype=np.int8),
        taken=score > 0.6, r=r, decided_at=at, known_at=at + np.timedelta64(9, "h"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("slope", "verdict"),
    [
        (0.9, "A higher score has meant a better trade"),
        (0.0, "A higher score has not reliably meant a better trade"),
        (-0.9, "A higher score has meant a worse trade"),
    ],
)
def test_the_answer_says_what_was_planted(slope, verdict):
    found = build_report(made_trades(slope), "1h", SETTINGS)
    assert found.answer.startswith(verdict)
    assert found.answer.count("\n") == 0
    assert found.taken_less_refused_r.sign == np.sign(slope)


def test_a_weak_relation_is_called_weak_and_losses_are_not_hidden():
    found = build_report(made_trades(0.12, n=40_000, gain=0.5), "1h", SETTINGS)
    assert "only weakly" in found.answer
    assert "no tenth earned its fees" in found.answer


def test_prints_deciles_tiers_and_regimes_and_fits_the_width(datadir):
    text = report(datadir)
    assert "by tenth of the score" in text
    assert "by tier of size" in text
    assert all(regime in text for regime in (Regime.STRONG_TREND, Regime.TIGHT_RANGE))
    assert "A higher score has" in text
    assert max(len(line) for line in text.splitlines()) <= 120
    assert "nan" not in text


def test_json_holds_the_printed_figures(datadir):
    target = datadir / "out" / "calibration.json"
    text = report(datadir, json_path=target)
    content = json.loads(target.read_text())
    assert content["answer"] in " ".join(text.split())
    assert sum(row["n"] for row in content["deciles"]) == content["n"]
    assert sum(row["n"] for row in content["tiers"]) == content["n"]
    assert sum(row["taken"] for row in content["regimes"]) == content["taken"]
    for row in content["deciles"]:
        assert f"{row['low']:.3f}–{row['high']:.3f}" in text
        assert f"{row['mean_r']:+.3f}" in text
    assert content["forward"] is None or content["forward"]["n"] < content["n"]


def test_the_timerange_picks_entries_and_the_same_ones_keep_their_outcome(datadir, quiet):
    whole = scored_trades(judged_pairs(datadir, None, "1h", SETTINGS, quiet), SETTINGS)
    part = scored_trades(judged_pairs(datadir, None, "1h", SETTINGS, quiet, "20220501-20220701"), SETTINGS)
    at = whole.decided_at - np.timedelta64(1, "h")
    inside = (at >= np.datetime64("2022-05-01")) & (at < np.datetime64("2022-07-01"))
    assert 0 < len(part.r) < len(whole.r)
    np.testing.assert_array_equal(part.r, whole.r[inside])


def test_trades_are_decided_at_a_close_and_known_after_it_in_order(datadir, quiet):
    judged = judged_pairs(datadir, None, "1h", SETTINGS, quiet)
    trades = scored_trades(judged, SETTINGS)
    assert (trades.known_at > trades.decided_at).all()
    assert (np.diff(trades.decided_at) >= np.timedelta64(0)).all()
    assert set(trades.pair) == {"BTC/USDT", "ETH/USDT"}
    entry_opens = np.concatenate([item.path.date[item.entries.row + 1] for item in judged])
    assert np.isin(trades.decided_at, entry_opens).all()
    assert trades.decided_at[0] == entry_opens.min()


def test_mistakes_are_named(datadir, random_candles):
    off = replace(SETTINGS, components=replace(SETTINGS.components, confidence=False))
    with pytest.raises(SettingsError, match=r"components\.confidence is off"):
        report(datadir, off)
    with pytest.raises(DataError, match=r"no rule asked for an entry in BTC/USDT.*20300101-"):
        report(datadir, timerange="20300101-")
    with pytest.raises(DataError, match="write 20220101-20231231"):
        report(datadir, timerange="yesterday")
    random_candles(200).to_feather(datadir / "SOL_USDT-1h.feather")
    with pytest.raises(DataError, match=r"SOL_USDT-1h\.feather: 200 candles; the indicators need more"):
        report(datadir, pairs=["SOL/USDT"])


@pytest.mark.real_data
def test_real_candles_are_answered(real_datadir, tmp_path):
    report(real_datadir, pairs=["BTC/USDT", "ETH/USDT"], json_path=tmp_path / "c.json")
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["n"] > 3000
    assert len(content["deciles"]) == 10
    assert content["forward"]["months"] > 50
    # a score is no probability: unfitted it does worse than the base rate
    assert content["brier_score"] > content["brier_base_rate"]
