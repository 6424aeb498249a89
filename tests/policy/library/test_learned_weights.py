"""Learned weights see only trades that have closed, credit what was said, and move within their bounds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.library import LibraryRule, TradeVotes, learned_multiples, learned_weights

RULES = list(LibraryRule)
START = np.datetime64("2022-01-01T00:00", "s")


def hours(*values):
    return START + np.array(values, dtype="timedelta64[h]")


def trades(t=200, seed=1):
    rng = np.random.default_rng(seed)
    return TradeVotes(
        closed_at=START + rng.integers(0, 1000, t).astype("timedelta64[h]"),
        side=rng.choice([-1, 1], t),
        r=rng.normal(0, 1, t),
        direction=rng.choice([-1, 0, 1], (t, len(RULES))),
    )


def part(all_trades, keep):
    return TradeVotes(**{name: values[keep] for name, values in vars(all_trades).items()})


def learn(library, votes, *at):
    return learned_multiples(votes, hours(*at), library.learning)


@given(at=st.integers(0, 1000), seed=st.integers(0, 20))
def test_only_trades_closed_before_the_moment_count(library, at, seed):
    votes = trades(seed=seed)
    past = votes.closed_at < hours(at)[0]
    assert np.allclose(learn(library, votes, at), learn(library, part(votes, past), at), atol=1e-12)
    changed = TradeVotes(
        votes.closed_at,
        votes.side,
        np.where(past, votes.r, 99.0),
        np.where(past[:, None], votes.direction, 1),
    )
    assert np.allclose(learn(library, votes, at), learn(library, changed, at), atol=1e-12)


def test_a_trade_that_closes_at_the_moment_is_not_past(library):
    direction = np.zeros((2, len(RULES)), dtype=int)
    direction[0, 0] = 1
    votes = TradeVotes(hours(5, 4), np.array([1, 1]), np.array([3.0, -1.0]), direction)
    assert learn(library, votes, 5)[0, 0] == 1.0
    assert learn(library, votes, 6)[0, 0] > 1.0


@given(seed=st.integers(0, 20), order=st.permutations(range(200)))
def test_the_order_in_which_trades_are_given_does_not_matter(library, seed, order):
    votes = trades(seed=seed)
    shuffled = part(votes, list(order))
    assert np.allclose(learn(library, votes, 100, 700), learn(library, shuffled, 100, 700))


def test_without_past_trades_nothing_moves(library):
    assert (learn(library, trades(), 0) == 1.0).all()
    assert (learn(library, part(trades(), slice(0, 0)), 500) == 1.0).all()


def test_a_rule_is_credited_for_what_it_said_of_good_and_bad_trades(library):
    n = 200
    r = np.where(np.arange(n) % 2, 1.5, -1.0)
    direction = np.zeros((n, len(RULES)), dtype=int)
    side = np.where(np.arange(n) % 3, 1, -1)
    direction[:, 0] = np.where(r > 0, side, 0)  # spoke for the good ones
    direction[:, 1] = np.where(r > 0, 0, side)  # for the bad ones
    direction[:, 2] = np.where(r > 0, 0, -side)  # against the bad ones
    direction[:, 3] = side  # for all
    multiples = learn(library, TradeVotes(hours(*range(n)), side, r, direction), n + 1)[0]
    assert multiples[0] == multiples[2] == library.learning.highest
    assert multiples[1] == library.learning.lowest
    assert multiples[3] == pytest.approx(1.0)  # says nothing that the market did not
    assert (multiples[4:] == 1.0).all()


def test_few_trades_move_a_weight_little(library):
    direction = np.zeros((2, len(RULES)), dtype=int)
    direction[0, 0] = 1
    votes = TradeVotes(hours(1, 2), np.array([1, 1]), np.array([1.0, -1.0]), direction)
    share = 1.0 / 51 / library.learning.full_r
    assert learn(library, votes, 9)[0, 0] == pytest.approx(1 + 0.4 * share)


@given(seed=st.integers(0, 20), scale=st.floats(0.1, 100))
def test_weights_stay_within_their_bounds(library, seed, scale):
    votes = trades(seed=seed)
    votes = TradeVotes(votes.closed_at, votes.side, votes.r * scale, votes.direction)
    multiples = learn(library, votes, 10, 500, 2000)
    assert (multiples >= library.learning.lowest).all()
    assert (multiples <= library.learning.highest).all()


def test_learning_is_off_until_it_is_asked_for(library):
    weights = np.arange(len(RULES), dtype=float)
    same = learned_weights(weights, trades(), hours(900), library.learning)
    assert np.array_equal(same, [weights])
    on = replace(library.learning, enabled=True)
    moved = learned_weights(weights, trades(), hours(900), on)
    assert np.allclose(moved, weights * learned_multiples(trades(), hours(900), on))
    assert not np.allclose(moved, weights)


def test_an_open_trade_or_a_wrong_shape_is_refused():
    votes = trades(5)
    with pytest.raises(DataError, match="closed trades only"):
        TradeVotes(votes.closed_at, votes.side, np.full(5, np.nan), votes.direction)
    with pytest.raises(DataError, match=r"\(5, 11\)"):
        TradeVotes(votes.closed_at, votes.side, votes.r, votes.direction[:, :4])
