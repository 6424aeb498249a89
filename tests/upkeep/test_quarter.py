"""The quarter's backtest, by the real backtester, beside its rivals and beside what the bot did."""

import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.jobs import JobResult, trade_table
from adaptive_pkg.evaluation.strategy.search import SearchTrial
from adaptive_pkg.evaluation.strategy.walk_forward import Walk
from adaptive_pkg.upkeep import quarter as quarter_module
from adaptive_pkg.upkeep import settings_review
from adaptive_pkg.upkeep.benchmark import check_benchmark
from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.inspection import Period, inspect
from adaptive_pkg.upkeep.live_match import check_live
from adaptive_pkg.upkeep.quarter import quarter_of
from adaptive_pkg.upkeep.settings_review import check_settings

from .conftest import NOW, PAIRS

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """Where finished backtests are kept, so that the module makes each once."""
    return tmp_path_factory.mktemp("maintenance")


@pytest.fixture
def quarter(bot, datadir, jobs):
    """`quarter(database)`: the bot's last quarter."""

    def make(database=None, now=NOW):
        seen = inspect(
            bot.config, Period.QUARTERLY, now, database=database or bot.database, datadir=datadir,
            user_data=bot.user_data,
        )  # fmt: skip
        return quarter_of(seen, jobs, QUIET, workers=1)

    return make


def test_it_ends_with_the_last_whole_day(quarter):
    found = quarter()
    assert (found.end, (found.end - found.start).days) == (NOW.floor("D"), 91)
    assert (found.pairs, found.without, found.conditions.uses_forecast) == (tuple(PAIRS), (), False)


def test_candles_that_end_long_before_are_told(quarter):
    with pytest.raises(DataError, match="no pair's candles reach 2024-07-03"):
        quarter(now=NOW + pd.Timedelta(days=30))


def test_the_settings_stand_beside_their_rivals_on_the_same_days(quarter):
    found = check_benchmark(quarter())
    assert [row[0] for row in found.table.rows] == [
        "the settings in force",
        "buy and hold",
        "Donchian ensemble",
    ]
    assert found.figures["ours"]["trades"] > 10
    low, high = found.figures["sharpe"][1:]
    assert np.isfinite([low, high]).all() and found.verdict in (Verdict.OK, Verdict.LOOK, Verdict.ACT)
    ours = quarter().backtest().returns
    inside = ours[(ours.index >= quarter().start) & (ours.index < quarter().end)]
    assert found.figures["ours"]["total"] == pytest.approx(float((1 + inside).prod() - 1))


def test_a_bot_that_did_what_its_backtest_did_is_matched(quarter):
    found = check_live(quarter())
    assert found.figures["both"] / found.figures["bot"] > 0.7 and found.verdict is Verdict.OK
    # the evaluation reckons with 0.05 % of slippage a side, which the bot's own run did not, and a dearer
    # trade reaches its breakeven stop at another price
    assert 0.0005 < found.figures["bot_less_backtest"][0] < 0.003


def edited(bot, tmp_path, change):
    database = tmp_path / "edited.sqlite"
    shutil.copy(bot.database, database)
    with closing(sqlite3.connect(database)) as file:
        file.execute(change)
        file.commit()
    return database


def test_a_bot_that_pays_more_for_the_same_trades_is_to_be_acted_on(quarter, bot, tmp_path):
    worse = edited(bot, tmp_path, "update trades set close_profit = close_profit - 0.005")
    found = check_live(quarter(worse))
    assert found.verdict is Verdict.ACT and "worse than its backtest on the same trades" in found.told


def test_a_bot_that_trades_something_else_is_looked_at(quarter, bot, tmp_path):
    moved = edited(bot, tmp_path, "update trades set open_date = datetime(open_date, '+5 hours')")
    found = check_live(quarter(moved))
    assert found.verdict is Verdict.LOOK and "other trades than its backtest" in found.told


def test_a_bot_that_opened_nothing_is_not_measured(quarter, bot, tmp_path):
    empty = edited(bot, tmp_path, "delete from trades")
    assert not check_live(quarter(empty)).measured


@pytest.mark.parametrize(
    ("gain", "own", "verdict"),
    [(0.004, 0.4, Verdict.LOOK), (-0.004, 0.4, Verdict.OK), (-0.004, -np.inf, Verdict.OK)],
)
def test_settings_are_questioned_only_where_the_past_chose_better(quarter, monkeypatch, gain, own, verdict):
    """The search itself is the lab's; here it has chosen settings that earn so much more a day."""
    rng = np.random.default_rng(1)
    days = pd.date_range(end=NOW.floor("D"), periods=800, freq="D", inclusive="left")
    market = pd.Series(rng.normal(0, 0.01, len(days)), days)

    def walked(runner, plan, pairs, trials):
        spans = plan.spans()
        inside = market[(market.index >= plan.start) & (market.index < plan.end)]
        present = {"stops.trail_atr": 1.5, "kelly.fraction": 0.25}
        chosen = {"stops.trail_atr": 2.0, "kelly.fraction": 0.25}
        tried = [
            SearchTrial(span.number, number, params, value, 90, inside)
            for span in spans
            for number, params, value in ((0, present, own), (1, chosen, 1.2))
        ]
        return Walk(spans, [{}] * len(spans), inside + gain, trade_table({}), [], tried)

    class FakeRunner:
        def run(self, jobs, title):
            return {name: result(job) for name, job in jobs.items()}

    def result(job):
        index = pd.date_range(job.start, job.end, freq="D")
        equity = 1000 * np.concatenate([[1.0], np.cumprod(1 + market.reindex(index[:-1]).to_numpy())])
        return JobResult(trade_table({}), pd.DataFrame({"equity": equity}, index=index))

    monkeypatch.setattr(settings_review, "walk_forward", walked)
    monkeypatch.setattr(quarter_module.Quarter, "runner", FakeRunner())
    found = check_settings(quarter(), 2)
    assert found.verdict is verdict and found.figures["present_kept"] == 0
    assert found.figures["chosen_less_present_a_year"][0] == pytest.approx(365 * gain)
    assert found.table.rows[0] == ("stops.trail_atr", "1.5", "2", "2", "2")  # what nobody chose is not told
    seldom = not np.isfinite(own)
    assert found.table.rows[-1][2] == ("1.20 (too few trades)" if seldom else "1.20 (0.40)")
    assert ("too seldom for the search to rank them" in found.told) is seldom
