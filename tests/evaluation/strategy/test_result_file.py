"""A freqtrade result is read for what it is, or refused in one line that says why."""

import logging

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.result_file import is_result, read_result


def test_the_account_is_that_of_the_wallet_day_by_day(result_zip, default_result):
    found = read_result(result_zip())
    assert (found.strategy, found.timeframe, found.pairs) == ("AdaptiveGRU", "1h", ("BTC/USDT", "SOL/USDT"))
    assert found.start == default_result.daily.index[0]
    assert found.end == default_result.daily.index[-1]
    np.testing.assert_allclose(found.returns, default_result.returns, atol=1e-12)
    np.testing.assert_allclose(found.exposure, 0.5)  # half of it is coins
    assert list(found.returns.index) == list(default_result.returns.index)
    assert len(found.trades) == len(default_result.trades)
    assert found.trades["close_date"].is_monotonic_increasing
    assert found.fee == pytest.approx(default_result.trades["fee_open"].mean())


def test_the_markets_summed_changes_compound(result_zip):
    market = read_result(result_zip()).market
    steps = 0.2 / 63  # of each midnight, the first has none
    assert market.iloc[0] == 0.0
    np.testing.assert_allclose(market.iloc[1:], steps)


def test_without_a_wallet_closed_trades_make_the_account_and_that_is_said(result_zip, default_result):
    found = read_result(result_zip(wallet=False))
    profit = default_result.trades["profit_abs"].sum() / found.starting_balance
    assert np.prod(1 + found.returns) - 1 == pytest.approx(profit)
    assert found.exposure is None
    assert found.market is None
    assert any("closed trades" in note for note in found.notes)


def drop(*keys):
    def change(content):
        for key in keys:
            content["strategy"]["AdaptiveGRU"].pop(key)

    return change


def second(content):
    content["strategy"]["Other"] = content["strategy"]["AdaptiveGRU"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (drop("starting_balance"), "no 'starting_balance' in it: the result of another release"),
        (drop("trades"), "another release"),
        (lambda content: content.pop("strategy"), "another release"),
        (lambda content: content["strategy"]["AdaptiveGRU"].update(timeframe="soon"), "soon"),
        (lambda content: content["strategy"]["AdaptiveGRU"].update(backtest_start="soon"), "cannot be read"),
        (second, "several strategies; name one with --strategy: AdaptiveGRU, Other"),
    ],
)
def test_what_another_freqtrade_wrote_is_told_in_one_line(result_zip, change, word):
    with pytest.raises(Exception, match=word) as told:
        read_result(result_zip(change=change))
    assert isinstance(told.value, DataError), told.value
    assert "\n" not in str(told.value)


def test_one_of_several_strategies_can_be_named(result_zip):
    path = result_zip(change=second)
    assert read_result(path, "AdaptiveGRU").strategy == "AdaptiveGRU"
    with pytest.raises(DataError, match="no strategy 'Third'"):
        read_result(path, "Third")


def test_a_broken_or_renamed_file_is_told_and_nothing_is_logged(result_zip, tmp_path, caplog):
    whole = result_zip().read_bytes()
    broken = tmp_path / "broken.zip"
    broken.write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[len(flipped) // 3] ^= 0xFF
    spoilt = tmp_path / "spoilt.zip"
    spoilt.write_bytes(flipped)
    renamed = tmp_path / "mine.zip"
    renamed.write_bytes(whole)
    with caplog.at_level(logging.ERROR):
        for path, word in (
            (broken, "broken, or no zip file"),
            (spoilt, "broken, or no zip file"),
            (renamed, r"no mine\.json in it"),
            (tmp_path / "none.zip", "no such file"),
        ):
            with pytest.raises(DataError, match=word):
                read_result(path)
    assert not caplog.records


def test_a_result_is_told_from_an_evaluation(result_zip, tmp_path):
    (tmp_path / "strategy.json").write_text("{}")
    assert is_result(result_zip())
    assert not is_result(tmp_path)
    assert not is_result(tmp_path / "strategy.json")


def test_a_result_without_a_trade_is_read(result_zip):
    found = read_result(
        result_zip(change=lambda content: content["strategy"]["AdaptiveGRU"].update(trades=[]))
    )
    assert len(found.trades) == 0
    assert isinstance(found.returns, pd.Series)
