"""The vote adds up: symmetric, bounded, blind to rules without weight, and silenced where filters say so."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.library import (
    FilterReading,
    LibraryRule,
    Readings,
    cast_votes,
    library_vote,
    read_filters,
    read_rules,
)

RULES = list(LibraryRule)
N = 6
SIGNED = arrays(float, (N, len(RULES)), elements=st.floats(-1, 1).map(lambda x: x if abs(x) > 0.1 else 0.0))
WEIGHTS = arrays(float, len(RULES), elements=st.floats(0, 3))


def reading(weights=None, **strengths):
    """One candle; strengths by rule, signed."""
    row = [strengths.get(str(rule), 0.0) for rule in RULES]
    return Readings(np.array([row]), np.ones(len(RULES)) if weights is None else weights)


def allow(n, long=True, short=True, breadth=0.0):
    return FilterReading(np.full(n, long), np.full(n, short), np.full(n, breadth), (), {})


def test_votes_are_strength_times_weight_by_side(library):
    weights = np.array([getattr(library.weights, rule) for rule in RULES])
    vote = cast_votes(reading(weights, ema_pinch=0.5, cvd=0.8, sfp=-0.55), library)
    assert vote.long_votes[0] == pytest.approx(0.5 * 1.5 + 0.8 * 1.4)
    assert vote.short_votes[0] == pytest.approx(0.55 * 1.3)
    assert vote.score[0] == pytest.approx((1.87 - 0.715) / library.full_votes)
    assert vote.direction[0] == 1
    assert vote.reason(0) == "long 1.87, short 0.72 votes: cvd +1.12, ema_pinch +0.75, sfp -0.72"


def test_too_few_votes_are_no_direction_and_an_empty_vote_says_so(library):
    weak = cast_votes(reading(sfp=0.44), library)
    assert (weak.direction[0], weak.score[0] > 0) == (0, True)
    assert cast_votes(reading(sfp=0.46), library).direction[0] == 1
    assert cast_votes(reading(), library).reason(0) == "long 0.00, short 0.00 votes: no rule speaks"


@settings(max_examples=40)
@given(signed=SIGNED, weights=WEIGHTS)
def test_the_mirrored_market_gets_the_mirrored_vote(library, signed, weights):
    one = cast_votes(Readings(signed, weights), library)
    other = cast_votes(Readings(-signed, weights), library)
    assert np.array_equal(one.direction, -other.direction)
    assert np.allclose(one.score, -other.score)
    assert np.allclose(one.long_votes, other.short_votes)


@settings(max_examples=40)
@given(signed=SIGNED, weights=WEIGHTS, extra=st.integers(0, len(RULES) - 1))
def test_the_score_is_bounded_and_never_falls_by_another_vote_for_it(library, signed, weights, extra):
    vote = cast_votes(Readings(signed, weights), library)
    assert (np.abs(vote.score) <= 1).all()
    assert set(np.unique(vote.direction)) <= {-1, 0, 1}
    assert (vote.direction * vote.score >= 0).all()
    more = signed.copy()
    more[:, extra] = np.maximum(more[:, extra], 0.7)
    assert (cast_votes(Readings(more, weights), library).score >= vote.score - 1e-12).all()


@settings(max_examples=40)
@given(signed=SIGNED, weights=WEIGHTS, mute=st.integers(0, len(RULES) - 1))
def test_a_rule_without_weight_is_not_heard(library, signed, weights, mute):
    weights = weights.copy()
    weights[mute] = 0.0
    silent = signed.copy()
    silent[:, mute] = 0.0
    assert np.array_equal(
        cast_votes(Readings(signed, weights), library).score,
        cast_votes(Readings(silent, weights), library).score,
    )


@settings(max_examples=40)
@given(signed=SIGNED, weights=WEIGHTS, order=st.permutations(range(len(RULES))))
def test_the_order_of_the_rules_does_not_matter(library, signed, weights, order):
    vote = cast_votes(Readings(signed, weights), library)
    shuffled = cast_votes(Readings(signed[:, order], weights[list(order)]), library)
    assert np.allclose(vote.score, shuffled.score)


@settings(max_examples=40)
@given(signed=SIGNED, weights=WEIGHTS, scale=st.floats(0.1, 10))
def test_weights_count_beside_each_other_not_by_their_unit(library, signed, weights, scale):
    scaled = replace(library, full_votes=library.full_votes * scale, least_votes=library.least_votes * scale)
    one = cast_votes(Readings(signed, weights), library)
    assert np.allclose(one.score, cast_votes(Readings(signed, weights * scale), scaled).score)


@pytest.mark.parametrize(
    ("rule", "regime", "factor"),
    [
        ("atr_momentum", Regime.STRONG_TREND, 1.12),
        ("atr_momentum", Regime.VOLATILE_TREND, 1.12),
        ("atr_momentum", Regime.CHOPPY, 1.0),
        ("rsi_mr", Regime.TIGHT_RANGE, 1.12),
        ("rsi_mr", Regime.CHOPPY, 1.12),
        ("rsi_mr", Regime.STRONG_TREND, 1.0),
        ("cvd", Regime.STRONG_TREND, 1.0),
        ("cvd", Regime.TIGHT_RANGE, 1.0),
        ("rsi_mr", Regime.TRANSITIONAL, 1.0),
    ],
)
def test_a_rule_counts_more_in_its_regime(library, rule, regime, factor):
    vote = cast_votes(reading(**{rule: 0.5}), library, regime_codes=np.array([regime.code]))
    assert vote.long_votes[0] == pytest.approx(0.5 * factor)


@pytest.mark.parametrize(
    ("rule", "regime", "adx", "counts"),
    [
        ("vwap_bands_mr", Regime.STRONG_TREND, 41.0, False),
        ("vwap_bands_mr", Regime.STRONG_TREND, 39.0, True),
        ("vwap_bands_mr", Regime.CHOPPY, 41.0, True),
        ("bb_squeeze", Regime.TIGHT_RANGE, 11.0, False),
        ("bb_squeeze", Regime.TIGHT_RANGE, np.nan, True),
    ],
)
def test_what_a_regime_makes_senseless_does_not_count(library, rule, regime, adx, counts):
    vote = cast_votes(
        reading(**{rule: 0.5}), library, adx=np.array([adx]), regime_codes=np.array([regime.code])
    )
    assert bool(vote.long_votes[0] > 0) == counts


def test_a_blocked_side_wins_nothing_and_gives_the_other_side_nothing(library):
    say = reading(cvd=0.8, sfp=-0.6)
    blocked = cast_votes(say, library, filters=allow(1, long=False))
    assert (blocked.direction[0], blocked.score[0]) == (0, 0.0)
    assert blocked.long_votes[0] == 0.8  # still told
    assert cast_votes(say, library, filters=allow(1, short=False)).direction[0] == 1


def test_breadth_leans_the_vote_a_little(library):
    one = cast_votes(reading(cvd=0.8), library, filters=allow(1, breadth=1.0))
    assert one.long_votes[0] == pytest.approx(0.8 + 0.35 * 0.2)
    other = cast_votes(reading(cvd=0.8), library, filters=allow(1, breadth=-0.5))
    assert (other.long_votes[0], other.short_votes[0]) == (0.8, pytest.approx(0.035))
    assert cast_votes(reading(), library, filters=allow(1, breadth=1.0)).direction[0] == 0  # never alone


def test_weights_may_change_from_candle_to_candle(library):
    signed = np.full((2, len(RULES)), 0.5)
    by_candle = np.vstack([np.ones(len(RULES)), np.zeros(len(RULES))])
    vote = cast_votes(Readings(signed, np.ones(len(RULES))), library, weights=by_candle)
    assert vote.long_votes.tolist() == [0.5 * len(RULES), 0.0]


@pytest.mark.parametrize(
    "weights", [np.ones(3), -np.ones(len(RULES)), np.full(len(RULES), np.nan), np.ones((2, len(RULES)))]
)
def test_weights_that_make_no_sense_are_refused(library, weights):
    with pytest.raises(DataError, match="weights"):
        cast_votes(reading(), library, weights=weights)


def test_a_column_of_another_length_is_refused(library):
    with pytest.raises(DataError, match="regime_codes: 2 values for 1"):
        cast_votes(reading(), library, regime_codes=np.zeros(2))


def test_a_frame_is_voted_on_in_one_call(library, market):
    frame = market(1500).assign(funding_rate=0.002)
    codes = np.full(len(frame), Regime.STRONG_TREND.code)
    vote = library_vote(frame, library, codes)
    apart = cast_votes(
        read_rules(frame, library),
        library,
        adx=frame["adx"].to_numpy(),
        regime_codes=codes,
        filters=read_filters(frame, library.filters),
    )
    assert np.array_equal(vote.score, apart.score)
    assert (vote.direction <= 0).all()  # longs would pay this funding
    assert (vote.direction < 0).any()
    neutral = library_vote(frame.drop(columns="funding_rate"), library, codes)
    assert (neutral.direction > 0).any()
