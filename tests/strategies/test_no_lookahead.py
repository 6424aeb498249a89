"""Nothing that is decided at a candle may depend on a later one."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

COLUMNS = ("close", "atr", "atr_ratio", "regime", "size_multiplier")
WATCHED = (
    "custom_stake_amount", "confirm_trade_entry", "custom_stoploss", "custom_exit", "custom_roi",
    "adjust_trade_position",
)  # fmt: skip


@pytest.fixture(scope="module")
def strategy(make_config, load_strategy):
    strategy = load_strategy(make_config())
    strategy.ft_bot_start()
    strategy.can_short = True  # so that short signals are checked as well
    return strategy


@pytest.fixture(scope="module")
def whole(strategy, market, analyse):
    return analyse(strategy, market["BTC/USDT"])


@pytest.mark.parametrize("known", [900, 1_471, 1_999, 2_499])
def test_later_candles_change_nothing_in_any_column(strategy, market, analyse, whole, known):
    seen = analyse(strategy, market["BTC/USDT"].head(known))
    assert whole["enter_short"].sum() and whole["enter_long"].sum()
    pd.testing.assert_frame_equal(seen, whole.head(known), check_exact=True)


def test_the_truncation_test_sees_what_it_should(strategy, market, analyse, whole):
    """The same comparison does notice a column that peeks one candle ahead."""
    seen = analyse(strategy, market["BTC/USDT"].head(1_471)).assign(peek=lambda f: f["close"].shift(-1))
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(
            seen, whole.assign(peek=whole["close"].shift(-1)).head(1_471), check_exact=True
        )


@pytest.mark.real_data
@pytest.mark.parametrize("known", [3_001, 5_000, 7_777])
def test_later_real_candles_change_nothing(strategy, real_candles, analyse, known):
    candles = real_candles("LINK/USDT").iloc[8_000:17_000].reset_index(drop=True)  # the 0.0001 print is in it
    assert candles["low"].min() < 0.01
    pd.testing.assert_frame_equal(
        analyse(strategy, candles.head(known)), analyse(strategy, candles).head(known), check_exact=True
    )


@pytest.mark.parametrize("futures", [False, True])
def test_callbacks_know_exactly_the_last_closed_candle(make_config, run_backtest, futures_config, futures):
    """Beside freqtrade's own idea of it: the last row of get_analyzed_dataframe at that moment."""
    seen, wrong = Counter(), []  # an assertion in a callback would be swallowed by freqtrade's wrapper

    def prepare(strategy):
        def watch(name):
            original = getattr(strategy, name)

            def callback(**question):
                now = question["current_time"]
                pair = question["pair"] if "pair" in question else question["trade"].pair
                candles = strategy.desk.candles.get(pair)
                at = candles.last_closed(now)
                row = strategy.dp.get_analyzed_dataframe(pair, "1h")[0].iloc[-1]
                if not candles.starts[at] == row["date"].timestamp() == now.timestamp() - 3_600:
                    wrong.append((name, pair, now, row["date"]))
                wrong.extend((name, pair, now, c) for c in COLUMNS if candles.column(c)[at] != row[c])
                seen[name] += 1
                return original(**question)

            setattr(strategy, name, callback)

        for name in WATCHED:
            watch(name)

    run = run_backtest(make_config(futures_config if futures else {}), prepare)
    assert not wrong
    assert set(seen) == set(WATCHED)
    assert seen["confirm_trade_entry"] >= len(run.trades)  # some are refused
    hours = sum((t.close_date - t.open_date).total_seconds() / 3_600 for t in run.trades)
    assert seen["custom_exit"] >= hours * 0.9


def test_an_entry_is_one_candle_after_its_signal_and_at_that_candles_open(plain_run):
    frames = {
        pair: plain_run.strategy.dp.get_analyzed_dataframe(pair, "1h")[0].set_index("date")
        for pair in {trade.pair for trade in plain_run.trades}
    }
    checked = 0
    for trade in plain_run.trades:
        frame = frames[trade.pair]
        if trade.open_date not in frame.index:
            continue  # the provider shows the last 1,000 candles
        signal = frame.loc[pd.Timestamp(trade.open_date) - pd.Timedelta(hours=1)]
        assert signal["enter_long"] == 1
        assert signal["enter_tag"] == trade.enter_tag
        assert trade.open_rate == pytest.approx(frame.loc[trade.open_date, "open"])
        checked += 1
    assert checked >= 10
