"""The regime report: candles on disk in, tables and JSON out, clear words when something is missing."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.reports.regimes import POOLED, find_candle_files, read_candles, report_regimes
from adaptive_pkg.settings import load_settings

SETTINGS = load_settings({"adaptive": {"approach": "by_regime"}})


@pytest.fixture
def datadir(tmp_path, random_candles):
    for seed, pair in enumerate(("BTC_USDT", "ETH_USDT")):
        random_candles(2500, seed=seed).to_feather(tmp_path / f"{pair}-1h.feather")
    random_candles(50, freq="4h").to_feather(tmp_path / "BTC_USDT-4h.feather")
    return tmp_path


def report(datadir, pairs=None, timeframe="1h", settings=SETTINGS, json_path=None, width=80) -> str:
    console = Console(file=io.StringIO(), width=width)
    assert report_regimes(datadir, pairs, timeframe, settings, json_path, console) == 0
    return console.file.getvalue()


def test_prints_every_pair_and_the_pool_within_eighty_columns(datadir):
    text = report(datadir)
    for name in ("BTC/USDT", "ETH/USDT", POOLED):
        assert text.count(f"\n{name}") == 1
    assert text.count("when it ends, % to →") == 3
    assert all(text.count(regime) >= 6 for regime in Regime)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert "nan" not in text


def test_json_holds_the_printed_figures(datadir):
    target = datadir / "out" / "regimes.json"
    text = report(datadir, ["BTC/USDT"], json_path=target)
    content = json.loads(target.read_text())
    assert list(content["pairs"]) == ["BTC/USDT"]  # one pair needs no pool
    pair = content["pairs"]["BTC/USDT"]
    assert f"{pair['candles']:,} candles" in text
    assert f"{pair['switches_per_year']:.0f} switches a year" in text
    assert sum(row["share_fraction"] for row in pair["regimes"].values()) == pytest.approx(1, abs=1e-4)
    for row in pair["regimes"].values():
        assert f"{100 * row['share_fraction']:.1f}" in text
        if row["share_fraction"] == 0:
            assert row["forward_return_pct"] is None
            continue
        assert f"{row['forward_return_pct']:+.3f} ± {row['forward_return_standard_error_pct']:.3f}" in text


def test_the_threshold_set_changes_the_report(datadir):
    literal = load_settings({"adaptive": {"regime": {"threshold_set": "absolute"}}})
    assert "threshold set absolute" in report(datadir, settings=literal, width=200)
    assert report(datadir) != report(datadir, settings=literal)


@pytest.mark.parametrize(
    ("pairs", "timeframe", "message"),
    [
        (["DOGE/USDT"], "1h", "no 1h candles of DOGE/USDT .*there are: BTC/USDT, ETH/USDT"),
        (None, "15m", "timeframes there: 1h, 4h"),
        (None, "4h", "BTC_USDT-4h.feather: 50 candles; the indicators need more"),
    ],
)
def test_missing_candles_are_named_with_what_is_there(datadir, pairs, timeframe, message):
    with pytest.raises(DataError, match=message):
        report(datadir, pairs, timeframe)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere is not a folder"):
        find_candle_files(tmp_path / "nowhere", None, "1h")


def test_a_file_that_is_no_feather_is_named(datadir):
    (datadir / "SOL_USDT-1h.feather").write_text("not candles")
    with pytest.raises(DataError, match=r"SOL_USDT-1h\.feather: not a feather file"):
        report(datadir, ["SOL/USDT"])


def test_a_bad_candle_is_reported_with_its_file(datadir, random_candles):
    candles = random_candles(2500)
    candles.loc[1000, "close"] = None
    candles.to_feather(datadir / "SOL_USDT-1h.feather")
    with pytest.raises(DataError, match=r"SOL_USDT-1h\.feather: candles: column 'close' is nan"):
        report(datadir, ["SOL/USDT"])


def test_gaps_are_filled_with_flat_candles_without_volume(tmp_path, random_candles):
    whole = random_candles(100)
    whole.drop(index=range(40, 74)).to_feather(tmp_path / "gap.feather")
    filled = read_candles(tmp_path / "gap.feather")
    assert len(filled) == 100
    hole = filled.iloc[40:74]
    assert (hole["volume"] == 0).all()
    assert (hole[["open", "high", "low", "close"]] == whole["close"].iloc[39]).all(axis=None)
    pd.testing.assert_frame_equal(filled.iloc[74:], whole.iloc[74:], check_dtype=False)


def test_dates_out_of_order_are_refused(tmp_path, random_candles):
    random_candles(100).iloc[::-1].reset_index(drop=True).to_feather(tmp_path / "back.feather")
    with pytest.raises(DataError, match="not strictly increasing"):
        read_candles(tmp_path / "back.feather")


@pytest.mark.real_data
def test_real_candles_are_reported_with_five_percent_for_every_regime(real_datadir, tmp_path):
    report(real_datadir, json_path=tmp_path / "r.json")
    pooled = json.loads((tmp_path / "r.json").read_text())["pairs"][POOLED]
    assert all(row["share_fraction"] >= 0.05 for row in pooled["regimes"].values())
    assert pooled["shortest_dwell_candles"] >= SETTINGS.regime.min_dwell_candles
    forward = {name: row["forward_volatility_pct_per_candle"] for name, row in pooled["regimes"].items()}
    assert forward["volatile_trend"] > forward["strong_trend"]
    assert forward["choppy"] > forward["tight_range"]
