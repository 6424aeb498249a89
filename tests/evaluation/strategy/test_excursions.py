"""Excursions, false entries and premature stops on candles drawn by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.excursions import entry_quality, excursions, winners_mae

QUIET = (100.0, 100.5, 99.5, 100.0)  # a true range of 1, so the ATR before the trade is 1
ENTRY = 20  # candle at whose open the trade begins


def candles(*rows):
    table = np.array([QUIET] * ENTRY + list(rows) + [QUIET] * 2, dtype=float)
    dates = pd.date_range("2022-01-03", periods=len(table), freq="1h", tz="UTC")
    return {"BTC/USDT": pd.DataFrame(table, columns=["open", "high", "low", "close"]).assign(date=dates)}


def trade(make_trades, profit, close_rate, hours, **columns):
    """In at the open of ENTRY, at 100."""
    opened = pd.Timestamp("2022-01-03", tz="UTC") + pd.Timedelta(hours=ENTRY)
    return make_trades([profit], open_dates=[opened], hours=hours, close_rate=close_rate, **columns)


def only(frame):
    return frame.iloc[0]


def test_excursions_are_those_of_whole_candles_before_the_exit_and_of_the_fills(make_trades):
    path = candles((100, 103, 99, 102), (102, 104, 101, 103), (103, 120, 50, 105))
    found = only(excursions(trade(make_trades, 5.0, 105.0, 2), path))
    assert found["mfe"] == pytest.approx(0.05)  # the exit's fill; its candle's 120 may have come later
    assert found["mae"] == pytest.approx(0.01)
    assert found["capture"] == pytest.approx(1.0)


def test_a_short_is_the_mirror(make_trades):
    path = candles((100, 101, 97, 98), (98, 99, 96, 97), (97, 150, 50, 95))
    found = only(excursions(trade(make_trades, 5.0, 95.0, 2, is_short=True), path))
    assert found["mfe"] == pytest.approx(0.05)
    assert found["mae"] == pytest.approx(0.01)


def test_a_trade_within_one_candle_knows_only_its_fills(make_trades):
    found = only(excursions(trade(make_trades, -2.0, 98.0, 0), candles((100, 130, 90, 98))))
    assert (found["mae"], found["mfe"]) == pytest.approx((0.02, 0.0))
    assert np.isnan(found["capture"])


@pytest.mark.parametrize(
    ("after", "premature"),
    [((98, 99.5, 97, 99), True), ((98, 98.6, 97, 98), False), ((90, 91, 89, 90), False)],
)
def test_a_stop_is_premature_when_the_price_comes_back_by_an_atr(make_trades, after, premature):
    path = candles((100, 100.5, 97.9, 98), after)
    path["BTC/USDT"] = path["BTC/USDT"].iloc[: ENTRY + 2]  # nothing follows
    stopped = trade(make_trades, -2.0, 98.0, 0)
    assert bool(only(excursions(stopped, path))["premature"]) is premature
    signalled = trade(make_trades, -2.0, 98.0, 0, exit_reason="trend_turned")
    assert not only(excursions(signalled, path))["premature"]


@pytest.mark.parametrize(
    ("rows", "false"),
    [
        ([(100, 101.1, 99.5, 101)], False),
        ([(100, 100.5, 98.9, 99)], True),
        ([(100, 101.1, 98.9, 100)], True),  # both within one candle: taken as lost
        ([(100, 100.4, 99.6, 100), (100, 101.2, 99.9, 101), (101, 101, 90, 90)], False),
    ],
)
def test_an_entry_is_false_when_an_atr_is_lost_before_one_is_won(make_trades, rows, false):
    assert bool(only(excursions(trade(make_trades, 1.0, 101.0, 1), candles(*rows)))["false_entry"]) is false


def test_false_entries_stand_beside_entering_anywhere(make_trades, random_candles):
    path = {"BTC/USDT": random_candles(3000, seed=3)}
    rng = np.random.default_rng(1)
    dates = path["BTC/USDT"]["date"]
    anywhere = make_trades(rng.normal(0, 1, 400), open_dates=dates.iloc[rng.integers(50, 2800, 400)])
    chance = entry_quality(anywhere, path)
    assert chance.base == pytest.approx(0.5, abs=0.05)
    assert chance.relative.low < 0 < chance.relative.high
    rises = path["BTC/USDT"]["close"].shift(-3) > path["BTC/USDT"]["open"] * 1.01  # a look ahead
    knowing = make_trades(rng.normal(0, 1, 200), open_dates=dates[rises].iloc[60:260])
    found = entry_quality(knowing, path)
    assert found.false < 0.2
    assert found.relative.high < -0.5


def test_every_false_entry_equals_a_plain_walk(make_trades, random_candles):
    frame = random_candles(600, seed=5)
    path = {"BTC/USDT": frame}
    rows = np.arange(30, 590, 7)
    for side in (1, -1):
        trades = make_trades(
            np.ones(len(rows)), open_dates=frame["date"].iloc[rows], hours=1, is_short=side < 0
        )
        found = excursions(trades, path).sort_values("open_date")["false_entry"].to_numpy()
        import talib

        atr = talib.ATR(*(frame[name].to_numpy() for name in ("high", "low", "close")), timeperiod=14)
        for row, flag in zip(rows, found, strict=True):
            start, yard = frame["open"].iloc[row], atr[row - 1]
            expected = None
            for at in range(row, min(row + 72, len(frame))):
                down, up = frame["low"].iloc[at] <= start - yard, frame["high"].iloc[at] >= start + yard
                against, favour = (down, up) if side > 0 else (up, down)
                if against or favour:
                    expected = against
                    break
            if expected is None:
                expected = side * (frame["close"].iloc[min(row + 71, len(frame) - 1)] - start) < 0
            assert flag == expected


def test_the_winners_worst_moments(make_trades):
    frame = make_trades([1, 1, -1]).assign(mae=[0.01, 0.02, 0.5])
    assert winners_mae(frame, 1.0) == pytest.approx(0.02)
    assert np.isnan(winners_mae(frame.iloc[2:]))


def test_trades_without_their_candles_are_refused(make_trades):
    with pytest.raises(DataError, match="BTC/USDT: no candles"):
        excursions(make_trades([1.0]), {})
    with pytest.raises(DataError, match="outside its candles"):
        excursions(make_trades([1.0], open_dates=["2030-01-01"]), candles())
