"""The growth score: what it rewards, what it does not, and that hyperopt finds the loss made of it."""

import math
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from freqtrade.resolvers.hyperopt_resolver import HyperOptLossResolver
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.evaluation.growth import RUIN, growth_score


def test_a_year_of_growth_less_its_drawdown_as_computed_by_hand():
    assert growth_score(11_000, 10_000, 0.05, 200, 365) == pytest.approx(math.log(1.1) - 0.05)


def test_half_the_time_for_the_same_growth_counts_twice():
    assert growth_score(11_000, 10_000, 0.0, 200, 182.5) == pytest.approx(2 * math.log(1.1))


def test_doing_nothing_is_worse_than_trading_without_loss():
    assert growth_score(10_000, 10_000, 0.0, 0, 365) == -1.0
    assert growth_score(10_000, 10_000, 0.0, 100, 365) == 0.0


def test_a_lucky_handful_does_not_beat_a_steady_hundred():
    assert growth_score(13_000, 10_000, 0.01, 5, 365) < growth_score(10_300, 10_000, 0.05, 150, 365)


def test_an_account_that_is_gone_scores_ruin():
    assert growth_score(0.0, 10_000, 1.0, 200, 365) == RUIN - 1.0


money = st.floats(1, 1e7)


@given(money, money, st.floats(0, 1), st.integers(0, 5000), st.floats(1, 3000))
def test_more_money_never_scores_less_and_a_deeper_drawdown_never_more(final, start, drawdown, trades, days):
    score = growth_score(final, start, drawdown, trades, days)
    assert growth_score(final * 1.1, start, drawdown, trades, days) >= score
    assert growth_score(final, start, min(drawdown + 0.1, 1.0), trades, days) <= score


def test_a_span_without_length_is_refused():
    with pytest.raises(ValueError, match="days 0"):
        growth_score(10_000, 10_000, 0.0, 10, 0)


def test_freqtrade_finds_the_loss_and_it_prefers_the_better_run(project_root):
    loss = HyperOptLossResolver.load_hyperoptloss(
        {
            "hyperopt_loss": "AdaptiveGrowthLoss",
            "user_data_dir": project_root / "user_data",
            "timeframe": "1h",
        }
    )
    start = datetime(2022, 1, 1, tzinfo=UTC)

    def of(profit, drawdown):
        return loss.hyperopt_loss_function(
            results=pd.DataFrame({"profit_abs": [profit]}),
            trade_count=150,
            min_date=start,
            max_date=start + timedelta(days=365),
            config={},
            processed={},
            backtest_stats={"max_drawdown_account": drawdown},
            starting_balance=10_000.0,
        )

    assert of(500.0, 0.05) < of(100.0, 0.05)
    assert of(500.0, 0.05) < of(500.0, 0.20)
    assert of(500.0, 0.05) == pytest.approx(-(math.log(1.05) - 0.05))
