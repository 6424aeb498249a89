"""The example programs, run as a newcomer would: from an empty folder, without network."""

from __future__ import annotations

import os
import pickle
import re
import runpy
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from adaptive_pkg.forecast import GRUForecaster
from adaptive_pkg.simulator.candles import write_candles
from adaptive_pkg.simulator.market import simulate_market

WITHOUT_NETWORK = """
import runpy, socket, sys

def refuse(*args, **kwargs):
    raise AssertionError(f"an example asked for the network: {args}")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def succeeded(project_root, tmp_path_factory):
    """Run one example in a folder of its own; returns that folder and what the example printed."""

    def start(name: str, *options: object) -> tuple[Path, str]:
        folder = tmp_path_factory.mktemp(name)
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_NETWORK, project_root / "examples" / f"{name}.py"]
            + [str(option) for option in options],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        return folder, done.stdout

    return start


def figures(pattern: str, text: str) -> list[float]:
    """The numbers that `pattern`'s one group finds, in order."""
    return [float(found.replace(",", "")) for found in re.findall(pattern, text, re.MULTILINE)]


# --- gru_training --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def training(succeeded):
    return succeeded("gru_training", "--candles", 3_000)


def test_training_judges_the_gru_beside_naive_and_ridge_with_intervals(training):
    _, told = training
    models = "GRU without gate|GRU over ridge|GRU|ridge|always 0"
    rows = re.findall(rf"^ +(?:return|volatility) +(?:{models}) +(\S.*)$", told, re.M)
    assert len(rows) == 10
    for row in rows:
        if row.endswith("is the naive forecast"):
            continue
        value, low, high, verdict = re.fullmatch(r"([\d.]+) +\[([\d.]+), ([\d.]+)\] +(.*)", row).groups()
        assert 0 < float(low) <= float(value) <= float(high)
        expected = "better" if float(high) < 1 else "worse" if float(low) > 1 else "not told apart"
        assert verdict == expected or 1.0 in (float(low), float(high))
    assert re.search(r"return +always 0 +1 +is the naive forecast", told)  # the price stays where it is


def test_training_leaves_a_purged_gap_between_the_three_parts(training):
    _, told = training
    parts = re.findall(r"(train|validate|test) +(\d+) rows, (\S+) to (\S+)", told)
    assert [name for name, *_ in parts] == ["train", "validate", "test"]
    (purged,) = figures(r"purged: (\d+) rows", told)
    for (*_, earlier_end), (*_, later_start, _) in pairwise(parts):
        gap = pd.Timestamp(later_start) - pd.Timestamp(earlier_end)
        assert gap >= pd.Timedelta(hours=purged) - pd.Timedelta(days=1)  # told to the day


def test_training_saves_a_forecaster_that_loads_bit_equal(training):
    folder, told = training
    assert told.rstrip().endswith("predictions bit-equal: yes")
    saved = pickle.loads((folder / "example-output" / "gru_forecaster.pkl").read_bytes())
    assert isinstance(saved, GRUForecaster)
    assert saved.label_names == ("return", "volatility")


def test_training_on_a_candle_file_says_what_it_says_on_the_same_synthetic_candles(
    training, succeeded, tmp_path
):
    candles = simulate_market("BTC/USDT", 3_000, seed=1)
    (path,) = write_candles({"BTC/USDT": candles}, tmp_path, "1h")
    _, told = succeeded("gru_training", "--candles-file", path)
    _, expected = training
    assert told.partition("2. FEATURES")[2] == expected.partition("2. FEATURES")[2]


def test_training_finds_no_direction_in_a_random_walk(succeeded):
    _, told = succeeded("gru_training", "--random-walk", "--candles", 3_000)
    assert "a random walk" in told
    gru, naive = figures(r"([\d.]+)% for (?:the GRU|'the price)", told)
    (verdict,) = re.findall(r"return +GRU +[\d.]+ +(.*)", told)
    assert not verdict.endswith("better")
    assert gru == pytest.approx(naive, rel=0.05)


# --- adaptive_trading ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trading(succeeded):
    return succeeded("adaptive_trading")


def test_trading_tells_every_kind_of_event(trading):
    _, told = trading
    entry = r"ENTRY at .*\n +forecast: .* σ .*\n +why: .* = \(.*\) × forecast .*\n +size: stake .* at risk"
    entries = re.findall(entry, told)
    exits = re.findall(r"EXIT at \S+, (.*): [+-][\d.]+ R", told)
    (trades,) = figures(r"^(\d+) trades, mean", told)
    assert len(entries) == len(exits) == trades > 0
    assert {"initial stop", "breakeven stop", "trailing stop", "target", "the trend has turned"} == set(exits)
    assert re.search(
        r"REGIME strong_trend: .*\n +its preset: trend_following, size × 1.2, stop 2.5 ATR", told
    )
    assert re.search(r"candidate refused, confidence 0\.\d+: confidence below the regime's threshold", told)


def test_trading_never_loosens_a_stop_and_leaves_at_the_last_one(trading):
    _, told = trading
    stop = None
    for line in told.splitlines():
        if entry := re.search(r"ENTRY at (\S+), stop (\S+),", line):
            price, stop = (float(found.replace(",", "")) for found in entry.groups())
            assert stop < price
        elif moved := re.search(r"stop (\S+) → (\S+) \(", line):
            before, after = (float(found.replace(",", "")) for found in moved.groups())
            assert before == stop < after
            stop = after
        elif left := re.search(r"EXIT at (\S+), (\w+) stop", line):
            assert float(left[1].replace(",", "")) <= stop  # below it where the candle opened below


def test_trading_draws_one_page_that_fetches_nothing(trading):
    folder, _ = trading
    page = (folder / "example-output" / "adaptive_trading.html").read_text(encoding="utf-8")
    assert page.count(get_plotlyjs()) == 1
    rest = page.replace(get_plotlyjs(), "")
    assert not re.search(r"https?:|(src|href)=|@import|<link", rest)
    for drawn in ("strong_trend", "tight_range", '"entry"', '"exit"', '"stop"', '"candlestick"', '"rect"'):
        assert drawn in rest


def test_trading_says_the_same_again_with_the_same_seed(trading, succeeded):
    folder, told = trading
    again, retold = succeeded("adaptive_trading")
    assert retold == told
    page = Path("example-output") / "adaptive_trading.html"
    assert (again / page).read_bytes() == (folder / page).read_bytes()


def test_trading_can_hold_trends_instead(succeeded):
    _, told = succeeded("adaptive_trading", "--approach", "hold_trend", "--candles", 300, "--out", "here")
    assert "hold_trend, size ×" in told
    assert "mean_reversion" not in told
    assert not re.search(r"ENTRY .* target", told.replace("no target", ""))


# --- risk_management -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def risk(succeeded):
    return succeeded("risk_management", "--out", "tables")


def test_risk_has_six_parts(risk):
    _, told = risk
    assert re.findall(r"^(\d)\. [A-Z]", told, re.M) == list("123456")


def test_risk_works_kelly_out_and_corrects_the_common_misquote(risk):
    _, told = risk
    assert "full Kelly 32.50%, a quarter of it 8.125%" in told
    assert "30% wins of 2 R: -5.00% → do not bet" in told
    edge = figures(r"an edge, 45% .* → ([\d.]+)% at risk", told)
    none = figures(r"no edge, 33% .* → ([\d.]+)% at risk", told)
    assert edge == sorted(edge)  # a record that holds earns more
    assert none[-1] == 0.5  # the floor
    assert "100 losses in a row → 0.50% at risk" in told


def test_risk_draws_a_lucky_regime_towards_the_others(risk):
    _, told = risk
    rows = re.findall(r"^ +[a-z]+_?[a-z]+ +([+-]\S+) +([+-]\S+) +([+-]\S+) +([\d.]+)% +([\d.]+)%", told, re.M)
    own, blended = ([float(row[at]) for row in rows] for at in (1, 2))
    assert len(rows) == 5
    assert max(blended) < max(own)
    assert min(blended) > min(own)


def test_risk_puts_stops_farther_away_in_wilder_markets_and_loses_no_more(risk):
    _, told = risk
    part = told.partition("3. STOPS")[2].partition("4. TRAILING")[0]
    for regime in ("tight_range", "strong_trend", "volatile_trend"):
        away = figures(rf"{regime} +stop ([\d.]+)%", part)
        assert len(away) == 3
        assert away == sorted(away)
    assert all(lost <= 1.0 for lost in figures(r"loses ([\d.]+)%", part))


def test_risk_trails_one_way_only(risk):
    folder, told = risk
    table = pd.read_csv(folder / "tables" / "trailing.csv")
    assert table["stop"].is_monotonic_increasing
    assert list(table["stage"].unique()) == ["initial", "breakeven", "trailing"]
    assert table["kept_r"].iloc[0] == -1.0
    assert (table["close"] > table["stop"]).all()
    assert f"out at {table['stop'].iloc[-1]:.2f}" in told


def test_risk_follows_a_trade_through_rung_breakeven_scale_out_and_trail(risk):
    _, told = risk
    life = told.partition("5. ONE TRADE")[2].partition("6. DRAWDOWN")[0]
    order = [
        life.index(word) for word in ("buy rung 1", "(breakeven)", "scale out 1", "trailing stop filled")
    ]
    assert order == sorted(order)
    (planned,) = figures(r"the stop costs ([\d.]+):", life)
    ((profit, r),) = re.findall(r"filled at \S+: ([+-][\d.]+) after fees, ([+-][\d.]+) R", life)
    assert float(r) == pytest.approx(float(profit) / planned, abs=0.005)


def test_risk_shrinks_with_the_drawdown(risk):
    folder, told = risk
    table = pd.read_csv(folder / "tables" / "drawdown.csv")
    assert table["stake"].is_monotonic_decreasing
    assert table["multiplier"].iloc[0] == 1.0
    assert table["stake"].iloc[-1] == pytest.approx(0.15 * table["stake"].iloc[0])
    near = table.set_index("drawdown")["multiplier"]
    assert near[0.149] - near[0.151] < 0.02  # no cliff
    throttled, full = figures(r"the throttle: lowest ([+-][\d.]+)%", told)
    assert full < throttled < 0


# --- what cannot be done -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gru_training", ("--candles-file", "absent.feather"), "absent.feather"),
        ("gru_training", ("--candles-file", "broken.feather"), "broken.feather: not a feather file"),
        ("gru_training", ("--candles", "500"), "500 candles are too few"),
        ("adaptive_trading", ("--candles", "5"), "--candles 5"),
        ("adaptive_trading", ("--approach", "martingale"), "martingale"),
        ("risk_management", ("--seed", "-1"), "--seed"),
        ("risk_management", ("--out", "broken.feather"), "broken.feather"),
        ("gru_training", ("--out", "broken.feather/models"), "broken.feather"),
        ("adaptive_trading", ("--out", "broken.feather"), "broken.feather"),
    ],
)
def test_bad_input_is_named_and_ends_with_2(
    project_root, tmp_path, monkeypatch, capsys, name, options, message
):
    (tmp_path / "broken.feather").write_text("not candles")
    monkeypatch.chdir(tmp_path)
    script = project_root / "examples" / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(script), *options])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
