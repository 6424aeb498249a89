"""The signal report: candles in, every rule's forward returns and a reading out, as text, JSON and a page."""

import argparse
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.cli import signals as command
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.indicators import startup_candles
from adaptive_pkg.policy.library import LibraryRule
from adaptive_pkg.reports.signal_series import BASELINES, LEARNED, PLACEBO, VOTE, read_signals
from adaptive_pkg.reports.signals import build_report, report_signals
from adaptive_pkg.settings import load_settings
from adaptive_pkg.settings.library import LibrarySettings

SETTINGS, LIBRARY = load_settings({"adaptive": {"approach": "by_regime"}}), LibrarySettings()


def candles(seed, n=4600):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.008, n)))
    open_ = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(rng.normal(0, 0.004, (2, n)))
    return pd.DataFrame(
        {
            "date": pd.date_range("2021-01-01", periods=n, freq="4h", tz="UTC"),
            "open": open_,
            "high": np.maximum(open_, close) * (1 + wick[0]),
            "low": np.minimum(open_, close) * (1 - wick[1]),
            "close": close,
            "volume": rng.lognormal(3, 0.5, n),
        }
    )


@pytest.fixture(scope="module")
def datadir(tmp_path_factory):
    """BTC and ETH of the same 4 h candles' time; funding for BTC only, one rate high."""
    folder = tmp_path_factory.mktemp("candles")
    for seed, coin in enumerate(("BTC", "ETH")):
        candles(seed).to_feather(folder / f"{coin}_USDT-4h.feather")
    times = pd.date_range("2022-01-01", periods=300, freq="8h", tz="UTC")
    rates = pd.DataFrame({"date": times, "open": 0.0001})
    rates.loc[7, "open"] = 0.002
    (folder / "futures").mkdir()
    rates.to_feather(folder / "futures" / "BTC_USDT_USDT-1h-funding_rate.feather")
    return folder


@pytest.fixture(scope="module")
def series(datadir):
    return read_signals(datadir, None, "4h", SETTINGS, LIBRARY, Console(file=io.StringIO()), "20220101-")


@pytest.fixture(scope="module")
def written(datadir, tmp_path_factory):
    """What the command prints and writes."""
    out = tmp_path_factory.mktemp("out")
    console = Console(file=io.StringIO(), width=120)
    status = report_signals(
        datadir, None, "4h", SETTINGS, LIBRARY, out / "s.json", console, "20220101-", out / "s.html"
    )
    assert status == 0
    return console.file.getvalue(), json.loads((out / "s.json").read_text()), (out / "s.html").read_text()


def test_every_rule_the_vote_and_the_baselines_are_printed(written):
    text, _, _ = written
    for name in (*LibraryRule, VOTE, LEARNED, *BASELINES):
        assert len(re.findall(rf"^ ?{re.escape(name)}  ", text, re.MULTILINE)) >= 3, name
    assert max(len(line) for line in text.splitlines()) <= 120
    assert "…" not in text
    assert "nan" not in text


def test_random_candles_are_read_as_noise(written):
    text, figures, _ = written
    assert "none holds: no rule earns a weight" in text
    assert "belongs at 0" in text
    assert all(
        item["verdict"].startswith("noise") for item in figures["signals"].values() if not item["baseline"]
    )


def test_json_holds_the_printed_figures(written):
    text, figures, _ = written
    assert figures["horizons_candles"] == [1, 6, 18]
    assert figures["pairs"] == ["BTC/USDT", "ETH/USDT"]
    for item in figures["signals"].values():
        for row in item["horizons"]:
            if row["net_pct"]:
                net = row["net_pct"]
                assert f"{net['value']:+.2f} ({net['low']:+.2f} to {net['high']:+.2f})" in text
            assert row["gross_pct"] is None or row["net_pct"]["value"] == pytest.approx(
                row["gross_pct"]["value"] - 200 * figures["fee_one_side"]
            )
    assert figures["first"] == "2022-01-01"
    assert f"{figures['rules_time_ratio_to_market_frame']:.1f} ×" in text


def test_the_page_stands_alone(written):
    _, figures, page = written
    assert page.startswith("<!doctype html>")
    assert "<script src=" not in page
    assert all(rule in page for rule in LibraryRule)
    assert figures["reading"][0].split(":")[0] in page


def test_filters_say_what_they_lack(series):
    assert "funding: no column" in series.filters["ETH/USDT"]
    assert "funding: unknown on" in series.filters["BTC/USDT"]
    # the breadth's coins here are ETH alone, which is no breadth of its own
    assert "breadth: no column" in series.filters["ETH/USDT"]
    assert "breadth: no column" not in series.filters["BTC/USDT"]


def test_funding_blocks_from_its_settlement_until_the_next(series, datadir):
    from adaptive_pkg.reports.signal_series import _funding

    date = candles(0)["date"]
    funding = pd.Series(_funding(datadir, "BTC/USDT", date), index=date)
    high = funding[funding > 0.001].index
    settled = pd.Timestamp("2022-01-01", tz="UTC") + 7 * pd.Timedelta(hours=8)
    step = pd.Timedelta(hours=4)
    assert list(high + step) == [settled, settled + step]  # closes at which it is the last one known
    assert funding[: pd.Timestamp("2021-12-31 16:00", tz="UTC")].isna().all()
    assert _funding(datadir, "ETH/USDT", date) is None


def test_the_placebo_is_an_old_vote_and_the_first_candles_are_not_judged(series):
    pair = series.pairs[0]
    late = round(1009 / 4)
    assert np.array_equal(pair.signals[PLACEBO][late:], pair.signals[VOTE][:-late])
    assert pair.date[pair.judged][0] == np.datetime64("2022-01-01")
    assert not pair.live[:1000].any()


def test_learned_votes_differ_only_after_the_first_trades(series):
    pair = series.pairs[0]
    differ = np.flatnonzero(pair.signals[VOTE] != pair.signals[LEARNED])
    assert series.trades > 10
    assert len(differ)
    assert differ[0] > startup_candles(SETTINGS.indicators)
    assert set(series.multiples) == set(map(str, LibraryRule))


def test_signals_do_not_change_when_candles_are_appended(datadir, series, tmp_path):
    for coin in ("BTC", "ETH"):
        pd.read_feather(datadir / f"{coin}_USDT-4h.feather").iloc[:3600].to_feather(
            tmp_path / f"{coin}_USDT-4h.feather"
        )
    short = read_signals(tmp_path, None, "4h", SETTINGS, LIBRARY, Console(file=io.StringIO()))
    for early, late in zip(short.pairs, series.pairs, strict=True):
        if early.pair == "BTC/USDT":
            continue  # its funding is not in the short folder
        for name, values in early.signals.items():
            # the last trades of the short history are still open there
            assert np.array_equal(values[:3500], late.signals[name][:3500]), name


def test_a_timerange_before_all_candles_is_an_error(datadir):
    console = Console(file=io.StringIO())
    empty = read_signals(datadir, ["BTC/USDT"], "4h", SETTINGS, LIBRARY, console, "20100101-20110101")
    with pytest.raises(DataError, match="no candle to judge"):
        build_report(empty, "4h", 0.001)


def test_less_than_a_year_says_so_instead_of_a_verdict_on_nothing(datadir):
    console = Console(file=io.StringIO(), width=120)
    short = read_signals(datadir, ["BTC/USDT"], "4h", SETTINGS, LIBRARY, console, "-20211101")
    assert build_report(short, "4h", 0.001).reading == [
        "No added IC: the controls need a year of candles before the first one that is judged."
    ]


def test_the_command_passes_on_what_was_asked(monkeypatch, tmp_path):
    got = {}

    def fake(*args, **kwargs):
        got["args"], got["kwargs"] = args, kwargs
        return 0

    monkeypatch.setattr("adaptive_pkg.reports.signals.report_signals", fake)
    parser = argparse.ArgumentParser()
    command.add_commands(parser.add_subparsers())
    arguments = (
        f"signals --datadir {tmp_path} --pairs BTC/USDT --timeframe 4h --timerange 2022- --html a.html"
    )
    options = parser.parse_args(arguments.split())
    assert options.run(options) == 0
    assert got["args"][:3] == (tmp_path, ["BTC/USDT"], "4h")
    assert got["kwargs"]["timerange"] == "2022-"
    assert str(got["kwargs"]["html_path"]) == "a.html"
