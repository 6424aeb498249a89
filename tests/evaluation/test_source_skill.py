"""The incremental coefficient finds what is there, not what prices already say, and never looks ahead."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation import source_skill
from adaptive_pkg.evaluation.source_skill import (
    correlation,
    draw_blocks,
    granger_p,
    holm,
    incremental_ic,
    walk_forward,
)

DAYS = 1500


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    monkeypatch.setattr(source_skill, "RESAMPLES", 300)


def panel(seed=3, own=0.3, past=0.3, coins=2):
    """Outcomes made of a price column, an outside column and noise; the outside one also echoes the price."""
    rng = np.random.default_rng(seed)
    frames = []
    for coin in range(coins):
        price, secret = rng.standard_normal((2, DAYS))
        frames.append(
            pd.DataFrame(
                {
                    "coin": coin,
                    "date": pd.date_range("2019-01-01", periods=DAYS),
                    "price": price,
                    "outside": price + secret,
                    "noise": rng.standard_normal(DAYS),
                    "outcome": past * price + own * secret + rng.standard_normal(DAYS),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def judge(frame, family, horizon=1):
    return incremental_ic(frame, "outcome", [family], ["price"], horizon, np.random.default_rng(1))


def test_what_an_outside_column_knows_beyond_prices_is_found():
    found = judge(panel(), "outside")
    assert found.ic.low > 0.2 and found.ic.high < 0.4 and found.p < 0.01
    assert found.gain.sign == 1 and found.ic_with.value > found.ic_prices.value > 0.2
    assert (found.days, found.rows) == (DAYS - 730, 2 * (DAYS - 730))
    assert found.first == "2020-12-31"


def test_an_outside_column_that_only_echoes_prices_adds_nothing():
    found = judge(panel(own=0.0), "outside")
    assert found.ic.sign == 0 and found.p > 0.05
    assert found.ic_prices.sign == 1


def test_a_column_that_looks_good_only_by_its_echo_of_prices_is_read_the_right_way_round():
    frame = panel(past=0.8, own=-0.3)
    assert frame["outside"].corr(frame["outcome"]) > 0.1  # by itself it points up
    assert judge(frame, "outside").ic.low > 0.2  # beyond prices it points down, and is used so


def test_noise_adds_nothing():
    assert judge(panel(), "noise").ic.sign == 0


def test_a_column_whose_meaning_turns_is_not_credited_with_hindsight():
    frame = panel(own=0.0)
    turn = frame["date"] < "2021-01-01"
    echo = frame["outcome"] - 0.3 * frame["price"]
    frame["turning"] = echo.where(turn, -echo) + np.random.default_rng(2).standard_normal(len(frame))
    assert judge(frame, "turning").ic.low < -0.3


def test_no_fit_sees_an_outcome_that_was_not_known_yet():
    frame = panel(coins=1)
    horizon = 7
    whole = walk_forward(frame, "outcome", ["outside"], ["price"], horizon)
    for row in (790, 800, 1090, 1390):  # 730 + 30 k: days on which a fit begins to serve
        other = frame.copy()
        # what comes after a day, and what was not yet known on it, may be anything
        other.loc[row - horizon + 1 :, "outcome"] = 1e3
        other.loc[row + 1 :, ["outside", "price"]] = -50.0
        changed = walk_forward(other, "outcome", ["outside"], ["price"], horizon)
        judged = whole.date <= frame["date"].to_numpy().astype("datetime64[D]")[row]
        np.testing.assert_array_equal(whole.by_prices[judged], changed.by_prices[judged])
        np.testing.assert_array_equal(whole.added[judged], changed.added[judged])


def test_too_short_a_past_is_refused():
    with pytest.raises(DataError, match="outside: 850 days with every column"):
        judge(panel(coins=1).head(850), "outside")
    with pytest.raises(DataError, match="0 days"):
        judge(panel().assign(outside=np.nan), "outside")


def test_a_correlation_and_its_interval():
    rng = np.random.default_rng(4)
    x, noise = rng.standard_normal((2, 2000))
    x[5] = np.nan
    found = correlation(x, 0.6 * x + 0.8 * noise, rng)
    assert found.low < 0.6 < found.high and found.high - found.low < 0.12
    assert correlation(x, noise, rng).sign == 0
    with pytest.raises(DataError, match="at least 300"):
        correlation(x[:200], noise[:200], rng)


def test_intervals_are_wider_where_days_go_together():
    rng = np.random.default_rng(5)
    slow_x, slow_y = np.cumsum(rng.standard_normal((2, 3000)), axis=1)
    slow_x, slow_y = (np.convolve(np.diff(s), np.ones(20), "valid") for s in (slow_x, slow_y))
    wide, naive = correlation(slow_x, slow_y, rng), correlation(slow_x, slow_y, rng, block=1)
    assert wide.high - wide.low > 2 * (naive.high - naive.low)


def test_granger_sees_the_direction():
    forth, back = [], []
    for seed in range(20):
        cause, noise = np.random.default_rng(seed).standard_normal((2, 600))
        effect = 0.4 * np.concatenate([[0.0], cause[:-1]]) + noise
        forth.append(granger_p(cause, effect, 5))
        back.append(granger_p(effect, cause, 5))
    assert max(forth) < 1e-6
    # of 20 true nulls, 1 is expected below 5 %; more than 4 would come about once in 400 runs
    assert sum(p < 0.05 for p in back) <= 4


def test_holm_as_in_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_blocks_are_runs_of_days_and_every_day_is_drawn_alike():
    draws = draw_blocks(50, 10, np.random.default_rng(0))
    assert draws.shape == (300, 50)
    assert (np.diff(draws[:, :10]) % 50 == 1).all()
    assert np.bincount(draws.ravel(), minlength=50).min() > 200
