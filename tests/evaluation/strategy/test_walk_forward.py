"""Walk-forward: settings are chosen on the past, judged on what follows, and every day is judged once."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy import runner as runner_module
from adaptive_pkg.evaluation.strategy.jobs import StrategyJob
from adaptive_pkg.evaluation.strategy.walk_forward import WalkPlan, walk_forward

DAY = pd.Timedelta(days=1)
PAIRS = ("BTC/USDT", "SOL/USDT")


def at(text):
    return pd.Timestamp(text, tz="UTC")


@pytest.fixture
def plan():
    return WalkPlan(at("2023-06-01"), at("2023-10-01"), train_days=60, test_days=40, burn_in_days=15)


@pytest.fixture
def trail_pays(monkeypatch, make_result):
    """Backtests in which a wider trailing stop earns more, every day alike; returns the jobs run."""
    ran: list[StrategyJob] = []

    def run(conditions, job):
        ran.append(job)
        wide = job.adaptive.get("stops", {}).get("trail_atr", 1.5)
        noise = np.random.default_rng(job.days).normal(0, 0.01, job.days)
        return make_result(0.002 * wide + noise, start=job.start, trades=job.days)

    monkeypatch.setattr(runner_module, "run_job", run)
    monkeypatch.setattr(StrategyJob, "key", lambda job, conditions: f"{hash(str(job)):x}")
    return ran


# --- the calendar -----------------------------------------------------------------------------------


@given(
    days=st.integers(60, 2_000),
    train=st.integers(60, 700),
    test=st.integers(30, 400),
    purge=st.integers(0, 30),
)
def test_tests_fill_the_plan_and_every_training_ends_before_its_test(days, train, test, purge):
    start = at("2021-01-01")
    spans = WalkPlan(start, start + days * DAY, train, test, purge).spans()
    assert spans[0].test_start == start
    assert spans[-1].test_end == start + days * DAY
    for before, after in pairwise(spans):
        assert before.test_end == after.test_start
    for span in spans:
        assert span.test_start - span.train_end == purge * DAY
        assert span.train_end - span.train_start == train * DAY
        assert span.test_end - span.test_start >= min(test, days) // 2 * DAY


def test_a_span_that_says_nothing_is_refused():
    with pytest.raises(DataError, match="a span of 20 days; give at least 60"):
        WalkPlan(at("2023-01-01"), at("2023-01-21"))
    with pytest.raises(SettingsError, match="train_days: 5; give at least 60"):
        WalkPlan(at("2023-01-01"), at("2023-12-01"), train_days=5)


# --- fixed settings -----------------------------------------------------------------------------------


def test_fixed_settings_are_one_run_whose_trades_know_their_span(runner, plan, trail_pays):
    walk = walk_forward(runner, plan, PAIRS)
    assert [(job.start, job.end) for job in trail_pays] == [(plan.start, plan.end)]
    assert len(walk.returns) == 122
    assert walk.trials == []
    assert sorted(walk.trades["span"].unique()) == [0, 1, 2]
    first = walk.trades[walk.trades["span"] == 0]
    assert (first["close_date"] < walk.spans[0].test_end).all()


# --- chosen settings ----------------------------------------------------------------------------------


def test_settings_are_chosen_on_the_past_and_judged_on_the_next_span(runner, plan, trail_pays):
    walk = walk_forward(runner, plan, PAIRS, hyperopt=12)
    assert len(walk.trials) == 3 * 12
    tests = {span.test_start - plan.burn_in_days * DAY: span for span in walk.spans}
    searched = [job for job in trail_pays if job.start not in tests]
    for job in searched:
        assert any(job.end == span.train_end <= span.test_start - 3 * DAY for span in walk.spans)
    for span, settings in zip(walk.spans, walk.settings, strict=True):
        of_span = [trial for trial in walk.trials if trial.span == span.number]
        widest = max(of_span, key=lambda trial: trial.value)
        assert settings["stops"]["trail_atr"] == widest.params["stops.trail_atr"]
        assert settings["stops"]["trail_atr"] > 2.5
        ran = next(job for job in trail_pays if tests.get(job.start) is span)
        assert ran.adaptive == settings
        assert ran.end == span.test_end


def test_only_a_spans_own_days_count(runner, plan, trail_pays):
    walk = walk_forward(runner, plan, PAIRS, hyperopt=2)
    for span, result in zip(walk.spans, walk.results, strict=True):
        own = result.returns[(result.returns.index >= span.test_start)]
        joined = walk.returns[(walk.returns.index >= span.test_start) & (walk.returns.index < span.test_end)]
        assert joined.tolist() == own.tolist()
        closed = walk.trades.loc[walk.trades["span"] == span.number, "close_date"]
        assert closed.between(span.test_start, span.test_end, inclusive="left").all()
    assert walk.returns.index.equals(pd.date_range(plan.start, plan.end, freq="D", inclusive="left"))


def test_trades_are_in_the_money_of_the_joined_account(runner, plan, trail_pays):
    walk = walk_forward(runner, plan, PAIRS, hyperopt=2)
    joined = 10_000.0 * (1.0 + walk.returns).cumprod()
    last = walk.spans[-1]
    own = walk.results[-1]
    scale = joined[last.test_start - DAY] / own.equity[last.test_start]
    assert scale != pytest.approx(1.0)
    stakes = walk.trades.loc[walk.trades["span"] == last.number, "stake_amount"]
    assert stakes.to_numpy() == pytest.approx(100.0 * scale)


def test_the_same_walk_again_runs_nothing_and_chooses_the_same(runner, plan, trail_pays):
    first = walk_forward(runner, plan, PAIRS, hyperopt=9)
    count = len(trail_pays)
    again = walk_forward(runner, plan, PAIRS, hyperopt=9)
    assert len(trail_pays) == count
    assert again.settings == first.settings
    assert again.returns.equals(first.returns)


def test_more_trials_go_on_from_those_there_are(runner, plan, trail_pays):
    few = walk_forward(runner, plan, PAIRS, hyperopt=5)
    more = walk_forward(runner, plan, PAIRS, hyperopt=9)
    for trial in few.trials:
        twin = next(t for t in more.trials if (t.span, t.number) == (trial.span, trial.number))
        assert twin.params == trial.params


def test_a_search_of_one_setting_is_refused(runner, plan, trail_pays):
    with pytest.raises(SettingsError, match="give at least 2"):
        walk_forward(runner, plan, PAIRS, hyperopt=1)


def test_candles_before_the_first_training_are_missed_with_a_day_that_works(runner):
    plan = WalkPlan(at("2023-01-08"), at("2023-04-20"))
    with pytest.raises(DataError, match="start on 2023-02-05 or later"):
        walk_forward(runner, plan, PAIRS)
