"""Equal growth and equal tail loss: staking less is no longer an advantage."""

from __future__ import annotations

import numpy as np
import pytest

from adaptive_pkg.evaluation.strategy.bootstrap import draw_days
from adaptive_pkg.evaluation.strategy.matching import drawdown_at_equal_growth, growth_at_equal_tail
from adaptive_pkg.evaluation.strategy.performance import cvar, log_growth, max_drawdown


@pytest.fixture
def account():
    x = np.random.default_rng(1).normal(0, 0.02, 700)
    return x - x.mean() + 0.003


def draws(*accounts):
    return draw_days(np.column_stack(accounts), repetitions=60)


def test_half_the_stake_is_neither_better_nor_worse_at_equal_growth(account):
    found = drawdown_at_equal_growth(0.5 * account, account, draws(account, account))
    assert max_drawdown(0.5 * account) < 0.6 * max_drawdown(account)  # what a raw comparison would praise
    assert found.scale == pytest.approx(0.5, abs=1e-4)
    assert found.difference.value == pytest.approx(0.0, abs=1e-3)
    assert (found.difference.low, found.difference.high) == pytest.approx((0, 0), abs=0.02)


def test_half_the_stake_is_neither_better_nor_worse_at_equal_tail(account):
    found = growth_at_equal_tail(account, 0.5 * account, draws(account, account))
    assert found.scale == pytest.approx(2.0)
    assert found.difference.value == pytest.approx(0.0, abs=1e-9)


def test_the_same_growth_with_half_the_noise_has_a_smaller_drawdown(account):
    noise = np.random.default_rng(2).normal(0, 0.03, 700)
    noisy = account + noise - noise.mean()  # the same mean return
    found = drawdown_at_equal_growth(account, noisy, draws(account, noisy))
    assert log_growth(found.scale * noisy) == pytest.approx(log_growth(account), abs=1e-6)
    assert found.difference.value < -0.2


def test_equal_tail_means_equal_tail(account):
    other = np.random.default_rng(3).standard_t(3, 700) * 0.01
    found = growth_at_equal_tail(account, other, draws(account, other))
    assert cvar(found.scale * other) == pytest.approx(cvar(account))


def test_a_loss_cannot_be_matched_and_says_so(account):
    falling = account - 0.006
    found = drawdown_at_equal_growth(falling, account, draws(account, falling))
    assert np.isnan(found.scale)
    assert np.isnan(found.difference.value)
    assert found.unmatched > 0.9


def test_growth_beyond_any_stake_of_theirs_cannot_be_matched():
    rng = np.random.default_rng(4)
    ours, theirs = rng.normal(0.004, 0.01, 400), rng.normal(0.0, 0.03, 400) + 0.0003
    assert np.isnan(drawdown_at_equal_growth(ours, theirs - theirs.mean(), draws(ours, theirs)).scale)
