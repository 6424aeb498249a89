"""`adaptive bench kelly --datadir`: the rules' own trades, their edge, and both sizings of them."""

import json

import numpy as np
import pytest
from rich.console import Console

from adaptive_pkg.bench import kelly_candles as bench
from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.settings import AdaptiveSettings
from adaptive_pkg.simulator import market
from adaptive_pkg.simulator.candles import write_candles


@pytest.fixture(scope="module")
def datadir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("candles")
    frames = market.simulate_markets(["BTC/USDT", "ETH/USDT"], 6000, seed=3)
    write_candles(frames, folder, "1h")
    return folder


def test_the_edge_of_trades_counted_by_hand():
    edge = bench.edge_of("choppy", [1.5, -1.0, -1.0, 1.5, -1.0] * 20)
    assert (edge.trades, edge.win_probability, edge.payoff_ratio) == (100, 0.4, 1.5)
    assert edge.edge_probability == pytest.approx(0.0) and edge.mean_r == pytest.approx(0.0)
    low, high = edge.mean_r_ci95
    assert low < 0.0 < high
    few = bench.edge_of("choppy", [1.0, -1.0])
    assert few.mean_r == 0.0 and few.mean_r_ci95 is None
    lucky = bench.edge_of("choppy", [1.0, 2.0])
    assert (lucky.payoff_ratio, lucky.edge_probability) == (None, None)
    assert bench.edge_of("choppy", []).mean_r is None


def test_a_small_run_prints_and_stores_every_figure(datadir, tmp_path, capsys):
    out = tmp_path / "out" / "kelly.json"
    assert bench.bench_kelly_on_candles(20, out, CandleChoice(datadir)) == 0
    figures = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert figures["pairs"] == ["BTC/USDT", "ETH/USDT"]
    assert [edge["regime"] for edge in figures["edges"]] == ["all", *Regime]
    assert figures["edges"][0]["trades"] == figures["trades"] > 60
    assert sum(edge["trades"] for edge in figures["edges"][1:]) == figures["trades"]
    for name in ("log_growth_bp_per_trade", "maximum_drawdown_pct"):
        assert set(figures[name]) == {"ours", "plain", "difference", "difference_ci95"}
    assert 0 < figures["maximum_drawdown_pct"]["ours"] < 100
    printed = capsys.readouterr().out
    assert "strong_trend" in printed and "maximum drawdown" in printed


def test_a_pair_holds_one_trade_at_a_time_and_the_trades_are_in_order(datadir):
    quiet = Console(quiet=True)
    trades = bench.candle_trades(CandleChoice(datadir, ["BTC/USDT"]), AdaptiveSettings(), quiet)
    closed = np.array([trade.closed_at for trade in trades])
    assert len({trade.trade_id for trade in trades}) == len(trades)
    assert (np.diff(closed) > 0).all()  # none of them share a candle
    both = bench.candle_trades(CandleChoice(datadir), AdaptiveSettings(), quiet)
    assert len(both) > len(trades) and (np.diff([trade.closed_at for trade in both]) >= 0).all()


def test_no_candles_and_too_few_trades_are_errors(tmp_path, random_candles):
    with pytest.raises(DataError, match="is not a folder"):
        bench.bench_kelly_on_candles(20, None, CandleChoice(tmp_path / "none"))
    write_candles({"BTC/USDT": random_candles(1500)}, tmp_path, "1h")
    with pytest.raises(DataError, match="trade"):
        bench.bench_kelly_on_candles(20, None, CandleChoice(tmp_path))
