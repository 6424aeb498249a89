"""Closed trades on their way into the ledger: each once, none too early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.risk.history import TradeHistory

START = datetime(2023, 1, 1, tzinfo=UTC)


def hour(number):
    return START + timedelta(hours=number)


def trade(number, closed, r=1.0, regime="strong_trend"):
    return SimpleNamespace(
        id=number, close_date_utc=hour(closed), close_profit_abs=10.0 * (r or 0.0), enter_tag=regime, r=r
    )


class Reader:
    """Counts how often each trade's R is worked out: a database look-up each, in live trading."""

    def __init__(self):
        self.asked = []

    def __call__(self, item):
        self.asked.append(item.id)
        return item.r


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def history(reader):
    return TradeHistory(lambda tag: Regime(tag) if tag in set(Regime) else None, reader)


both = pytest.mark.parametrize("way", ["follow", "merge"])


@both
def test_a_trade_counts_only_strictly_after_it_closed(history, way):
    trades = [trade(1, closed=5)]
    assert getattr(history, way)(trades, hour(5)).pooled.n == 0
    assert getattr(history, way)(trades, hour(5) + timedelta(microseconds=1)).pooled.n == 1


@both
def test_each_trade_is_read_once_however_often_it_is_asked(history, reader, way):
    trades = [trade(n, closed=n) for n in range(1, 6)]
    for now in range(6, 30):
        assert getattr(history, way)(trades, hour(now)).pooled.n == 5
    assert sorted(reader.asked) == [1, 2, 3, 4, 5]


@both
def test_a_growing_list_is_read_on(history, way):
    trades = []
    for n in range(1, 8):
        trades.append(trade(n, closed=n, r=float(n)))
        ledger = getattr(history, way)(trades, hour(n + 1))
        assert ledger.pooled.n == n
    assert ledger.pooled.win_sum == sum(range(1, 8))
    assert ledger.by_regime[Regime.STRONG_TREND].n == 7


@both
def test_trades_without_a_regime_or_without_a_plan_teach_nothing(history, way):
    trades = [trade(1, 1, regime=None), trade(2, 2, regime="force_entry"), trade(3, 3, r=None), trade(4, 4)]
    assert getattr(history, way)(trades, hour(9)).pooled.n == 1


@both
def test_a_trade_without_a_plan_is_not_looked_up_again_and_again(history, reader, way):
    """Each look-up costs a database query and a line in the log, at every entry for ever."""
    trades = [trade(1, 1, r=None), trade(2, 2)]
    for now in range(5, 15):
        assert getattr(history, way)(trades, hour(now)).pooled.n == 1
    assert reader.asked.count(1) == 1


@both
def test_nothing_has_closed_yet(history, way):
    ledger = getattr(history, way)([], hour(1))
    assert ledger.pooled.n == 0
    assert ledger.drawdown(1_000.0) == 0.0


def test_a_new_list_starts_a_new_ledger(history):
    """freqtrade makes a new list for every backtest and epoch; its clock starts again, too."""
    history.follow([trade(1, 1), trade(2, 2)], hour(50))
    ledger = history.follow([trade(1, 3)], hour(4))
    assert ledger.pooled.n == 1
    assert ledger.profit == 10.0


def test_a_list_that_was_emptied_starts_a_new_ledger(history):
    trades = [trade(1, 1), trade(2, 2)]
    history.follow(trades, hour(50))
    trades.clear()
    assert history.follow(trades, hour(1)).pooled.n == 0


def test_an_equal_list_is_not_the_same_list(history, reader):
    """Two epochs may close the very same trades: each has its own ledger, so none is counted twice."""
    first, second = [trade(1, 1)], [trade(1, 1)]
    assert history.follow(first, hour(5)).pooled.n == 1
    assert history.follow(second, hour(5)).pooled.n == 1
    assert reader.asked == [1, 1]


def test_a_database_answers_in_any_order(history):
    trades = [trade(n, closed=n) for n in (4, 1, 3, 2)]
    assert history.merge(trades, hour(9)).pooled.n == 4


def test_a_database_answers_with_new_objects_each_time(history, reader):
    for now in (5, 6, 7):
        assert history.merge([trade(1, 1), trade(2, 2)], hour(now)).pooled.n == 2
    assert sorted(reader.asked) == [1, 2]


def test_a_trade_that_turns_up_late_makes_the_ledger_be_built_anew(history):
    """An exit found only after a restart: closed before trades that are already counted."""
    history.merge([trade(1, 1, r=-1.0), trade(3, 9, r=2.0)], hour(20))
    ledger = history.merge([trade(1, 1, r=-1.0), trade(2, 4, r=-3.0), trade(3, 9, r=2.0)], hour(21))
    assert ledger.pooled.n == 3
    assert ledger.profit == pytest.approx(-20.0)
    assert ledger.peak_profit == 0.0  # −10, −40, −20: in the order in which they closed


def test_after_rebuilding_it_reads_on_as_before(history, reader):
    history.merge([trade(1, 1), trade(3, 9)], hour(20))
    history.merge([trade(1, 1), trade(2, 4), trade(3, 9)], hour(21))
    reader.asked.clear()
    assert history.merge([trade(n, c) for n, c in ((1, 1), (2, 4), (3, 9), (4, 21))], hour(22)).pooled.n == 4
    assert reader.asked == [4]


def test_a_clock_set_back_does_not_show_the_future(history):
    """NTP corrects the machine's clock: what closed after `now` is not known any more."""
    trades = [trade(1, 1), trade(2, 9)]
    assert history.merge(trades, hour(20)).pooled.n == 2
    assert history.merge(trades, hour(5)).pooled.n == 1
