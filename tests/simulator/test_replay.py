"""How candles become prices: the usual path, the one a backtest imagines, and the spread."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import VenueError
from adaptive_pkg.simulator.book import best_prices
from adaptive_pkg.simulator.candles import CandleStore, write_candles
from adaptive_pkg.simulator.replay import AS_BACKTESTED, STRAIGHT, CandlePath, Replay
from adaptive_pkg.simulator.tape import CLOSE, HOUR_MS, Tape, partial_candle
from adaptive_pkg.simulator.trades import trades_between

RISES, FALLS = np.array([10.0, 14.0, 8.0, 12.0, 5.0]), np.array([12.0, 14.0, 8.0, 10.0, 5.0])


def prices(candle, path, at):
    return [float(partial_candle(candle, part, path)[CLOSE]) for part in at]


def test_a_straight_path_reaches_the_extremes_after_a_quarter_and_three():
    assert prices(RISES, STRAIGHT, (0, 0.25, 0.5, 0.75, 1)) == [10, 8, 11, 14, 12]
    assert prices(FALLS, STRAIGHT, (0, 0.25, 0.5, 0.75, 1)) == [12, 14, 11, 8, 10]


@pytest.mark.parametrize("candle", [RISES, FALLS])
def test_as_a_backtest_imagines_it_entries_meet_the_open_and_the_low_comes_first(candle):
    path = AS_BACKTESTED.path
    open_, high, low, close, _ = candle
    assert prices(candle, path, (0, 0.02, 0.05)) == [open_] * 3
    assert prices(candle, path, (0.45, 0.475, 0.5)) == [low] * 3
    assert prices(candle, path, (0.82, 0.85, 0.875)) == [high] * 3
    assert prices(candle, path, (0.9375, 1.0)) == [close] * 2


def test_trades_keep_to_the_path_and_reach_both_extremes(tmp_path):
    frame = pd.DataFrame([FALLS], columns=["open", "high", "low", "close", "volume"])
    frame.insert(0, "date", pd.Timestamp("2023-01-01", tz="UTC"))
    write_candles({"BTC/USDT": frame}, tmp_path, "1h")
    for path in (STRAIGHT, AS_BACKTESTED.path):
        tape = Tape(CandleStore(tmp_path), "BTC/USDT", path)
        opened = int(tape.finest.opened_ms[0])
        trades = trades_between(tape, 0.01, 0.1, opened - 1, opened + HOUR_MS)
        at = [min((time - opened) / HOUR_MS, 1.0) for time in trades.times_ms]
        np.testing.assert_allclose(trades.prices, prices(FALLS, path, at), atol=0.011)
        assert (trades.prices.min(), trades.prices.max()) == pytest.approx((8, 14))


def test_without_a_spread_both_sides_stand_at_the_last_price():
    assert best_prices(100.0, 0.01, 0.0) == (100.0, 100.0)
    bid, ask = best_prices(100.0, 0.01)
    assert (bid, ask) == pytest.approx((99.99, 100.01))


@pytest.mark.parametrize(
    "times",
    [
        {"rest_until": 0.3},  # later than the first extreme
        {"first": (0.25, 0.2)},
        {"second": (0.25, 0.3)},
        {"close_from": 0.7},
    ],
)
def test_times_that_do_not_follow_each_other_are_refused(times):
    with pytest.raises(VenueError, match="candle path"):
        CandlePath(**times)


@pytest.mark.parametrize("spread", [-0.1, 1.0])
def test_a_spread_that_is_no_part_of_the_price_is_refused(spread):
    with pytest.raises(VenueError, match="spread"):
        Replay(spread=spread)
