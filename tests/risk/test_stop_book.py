"""The stops of all open trades, carried forward candle by candle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptive_pkg.enums import StopStage
from adaptive_pkg.errors import RiskError
from adaptive_pkg.market.closed_candles import PairCandles
from adaptive_pkg.risk.stop_book import StopBook
from adaptive_pkg.risk.stops import initial_state, replay

START = datetime(2023, 1, 1, tzinfo=UTC)


def hour(number):
    return START + timedelta(hours=number)


def candles_of(closes, atr=1.0, first=0):
    dates = pd.date_range(hour(first), periods=len(closes), freq="1h", unit="ms")
    frame = pd.DataFrame({"date": dates, "close": closes, "atr": np.broadcast_to(atr, len(closes))})
    return PairCandles(frame, ["close", "atr"], 3_600)


@pytest.fixture
def book(make_plan):
    """A book with one long entered at 100 at 03:00: breakeven from 101.5, trailing from 102.5."""
    book = StopBook()
    book.put("trade", make_plan(), hour(3))
    return book


CLOSES = [100.0, 100.0, 104.0, 100.2, 101.6, 103.0, 102.8, 105.0, 104.0, 103.9]


def test_before_the_entry_candle_has_closed_the_stop_is_the_planned_one(book, make_plan):
    """The candle before the entry closed at 104, which would trail: it is not the trade's."""
    assert book.state("trade", candles_of(CLOSES), hour(3)) == initial_state(make_plan())
    assert book.state("trade", candles_of(CLOSES), hour(3) + timedelta(minutes=59)) == initial_state(
        make_plan()
    )


def test_each_close_counts_from_the_moment_its_candle_is_over(book):
    candles = candles_of(CLOSES)
    stages = [book.state("trade", candles, hour(number)).stage for number in (4, 5, 6)]
    assert stages == [StopStage.INITIAL, StopStage.BREAKEVEN, StopStage.TRAILING]


def test_an_entry_within_a_candle_counts_that_candles_close(make_plan):
    """Live fills come between candles: 03:20 belongs to the candle that closes at 04:00."""
    book = StopBook()
    book.put("trade", make_plan(), hour(3) + timedelta(minutes=20))
    closes = [100.0, 100.0, 104.0, 103.0]
    assert book.state("trade", candles_of(closes), hour(4)).best == 103.0


def test_asking_at_every_candle_is_the_same_as_asking_once_at_the_end(book, make_plan):
    candles = candles_of(CLOSES)
    step_by_step = [book.state("trade", candles, hour(number)) for number in range(3, 11)][-1]
    late = StopBook()
    late.put("trade", make_plan(), hour(3))
    assert late.state("trade", candles, hour(10)) == step_by_step
    assert step_by_step == replay(make_plan(), CLOSES[3:], [1.0] * 7)


def test_asking_again_changes_nothing(book):
    candles = candles_of(CLOSES)
    first = book.state("trade", candles, hour(7))
    assert all(book.state("trade", candles, hour(7)) == first for _ in range(5))


def test_a_rolling_window_of_candles_gives_the_same_stop(book, make_plan):
    """Live frames lose their oldest candle with every new one: positions shift, times do not."""
    whole = StopBook()
    whole.put("trade", make_plan(), hour(3))
    for number in range(3, 11):
        window = candles_of(CLOSES[max(0, number - 4) : number], first=max(0, number - 4))
        assert book.state("trade", window, hour(number)) == whole.state(
            "trade", candles_of(CLOSES), hour(number)
        )


def test_a_window_that_starts_after_the_entry_starts_there(book):
    late = candles_of(CLOSES[6:], first=6)
    assert book.state("trade", late, hour(10)).best == 105.0


def test_no_closed_candle_at_all_leaves_the_planned_stop(book, make_plan):
    assert book.state("trade", candles_of([], first=0), hour(9)) == initial_state(make_plan())
    assert book.state("trade", candles_of(CLOSES, first=20), hour(9)) == initial_state(make_plan())


def test_an_earlier_question_does_not_take_anything_back(book):
    candles = candles_of(CLOSES)
    later = book.state("trade", candles, hour(9))
    assert book.state("trade", candles, hour(4)) == later


def test_a_candle_without_a_price_keeps_the_state_before_it_and_can_be_read_later(book):
    good = candles_of(CLOSES)
    before = book.state("trade", good, hour(6))
    with pytest.raises(RiskError, match="not a price"):
        book.state("trade", candles_of([*CLOSES[:7], float("nan"), *CLOSES[8:]]), hour(9))
    assert book.state("trade", good, hour(6)) == before
    assert book.state("trade", good, hour(9)).best == 105.0


def test_trades_do_not_touch_each_other(book, make_plan):
    book.put("short", make_plan("short"), hour(3))
    candles = candles_of(CLOSES)
    long, short = (book.state(key, candles, hour(10)) for key in ("trade", "short"))
    assert long.stop < 104 < short.stop or short.stop == make_plan("short").initial_stop
    assert long.best == 105.0
    assert short.best == 100.0


def test_putting_a_trade_again_starts_it_anew(book, make_plan):
    book.state("trade", candles_of(CLOSES), hour(10))
    book.put("trade", make_plan(entry=200.0), hour(3))
    assert book.state("trade", candles_of(CLOSES), hour(3)).stop == pytest.approx(198.0, rel=0.01)


def test_an_unknown_trade_is_an_error_that_says_the_stop_stays():
    book = StopBook()
    for ask in (lambda: book.plan("x"), lambda: book.state("x", candles_of(CLOSES), hour(5))):
        with pytest.raises(RiskError, match="'x' has no stop plan; its last stop stays"):
            ask()


def test_dropped_trades_are_forgotten_and_dropping_twice_is_no_error(book):
    assert "trade" in book
    assert len(book) == 1
    book.drop("trade")
    book.drop("trade")
    assert "trade" not in book
    assert len(book) == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.floats(-0.03, 0.03), st.floats(0.2, 3.0)), min_size=1, max_size=40),
    cuts=st.lists(st.integers(0, 45), max_size=6),
    side=st.sampled_from(["long", "short"]),
)
def test_however_often_it_is_asked_the_stop_only_tightens_and_ends_the_same(make_plan, steps, cuts, side):
    moves, atrs = np.array(steps).T
    closes = 100.0 * np.exp(np.cumsum(moves))
    candles, plan, sign = candles_of(closes, atrs), make_plan(side), 1 if side == "long" else -1
    often, once = StopBook(), StopBook()
    for book in (often, once):
        book.put("t", plan, hour(0))
    stops = [sign * often.state("t", candles, hour(cut)).stop for cut in sorted(cuts)]
    assert stops == sorted(stops)
    end = hour(len(closes))
    assert often.state("t", candles, end) == once.state("t", candles, end)
    assert once.state("t", candles, end) == replay(plan, closes, atrs)


def test_a_candle_is_read_once_so_a_calm_hour_of_long_ago_cannot_tighten_todays_stop(book):
    """Read again with a later best close, its small ATR would give a stop far too near."""
    candles = candles_of(CLOSES, atr=[1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 2.0, 2.0, 2.0, 2.0])
    book.state("trade", candles, hour(6))
    assert book.state("trade", candles, hour(8)).stop == pytest.approx(102.85)  # 103 − 1.5 × 0.1
    assert book.state("trade", candles, hour(10)).stop == pytest.approx(102.85)
