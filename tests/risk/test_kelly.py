"""The Kelly fraction: what the record of trades allows, and what it never allows."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk import ClosedTrade, TradeLedger, drawdown_multiplier, estimate, kelly_fraction
from adaptive_pkg.settings import ComponentSettings, KellySettings

QUARTER = KellySettings(fraction=0.25)
PLAIN = replace(QUARTER, significance=0.0, start_trades=0)  # the plain estimate, whatever its uncertainty
WARY = replace(QUARTER, significance=1.0, start_trades=0)


def record(wins, losses, win=1.0, loss=1.0):
    """Wins and losses spread evenly, so that no half of the record looks different."""
    n = wins + losses
    return [win if (i * wins) // n != ((i + 1) * wins) // n else -loss for i in range(n)]


def test_the_textbook_case(ledger_of):
    """55 % wins, twice as large as the losses: 32.5 % in full, 8.125 % a quarter of it."""
    kelly = estimate(ledger_of({"choppy": record(110, 90, win=2.0)}), Regime.CHOPPY, PLAIN)
    assert kelly_fraction(0.55, 2.0) == pytest.approx(0.325)
    assert (kelly.p, kelly.b, kelly.full_fraction) == (
        pytest.approx(0.55), pytest.approx(2.0), pytest.approx(0.325),
    )  # fmt: skip
    assert kelly.fraction == pytest.approx(0.08125)
    assert (kelly.n, kelly.n_regime, kelly.mean_r) == (200, 200, pytest.approx(0.65))


def test_a_record_moves_size_from_the_start_to_kelly_by_its_length(ledger_of):
    """The textbook case beside a start that counts as 600 trades: 200 are a quarter of the way."""
    kelly = estimate(ledger_of({"choppy": record(110, 90, win=2.0)}), Regime.CHOPPY, QUARTER)
    assert kelly.trust == pytest.approx(200 / 800)
    assert kelly.fraction == pytest.approx(0.01 + (0.08125 - 0.01) * 0.25)
    longer = estimate(ledger_of({"choppy": record(3300, 2700, win=2.0)}), Regime.CHOPPY, QUARTER)
    assert kelly.fraction < 0.07 < longer.fraction < 0.08125
    thin = ledger_of({"choppy": record(102, 98)})  # full Kelly 2 %: a quarter of it lies below the start
    assert QUARTER.floor < estimate(thin, Regime.CHOPPY, QUARTER).fraction < QUARTER.start_fraction


def test_a_regimes_own_record_counts_on_top_of_the_pooled_one(ledger_of):
    ledger = ledger_of({"choppy": record(150, 50), "tight_range": record(40, 60)})
    own, unseen = (estimate(ledger, regime, QUARTER) for regime in (Regime.CHOPPY, Regime.STRONG_TREND))
    assert unseen.trust == pytest.approx(300 / 900)
    assert unseen.trust < own.trust < 1.0
    # own : pooled : start = trust·weight : trust·(1 − weight) : 1 − trust, the pooled part 1/3 of the rest
    of_own = own.trust * own.regime_weight
    assert own.trust - of_own == pytest.approx((1.0 - of_own) / 3)


@given(p=st.floats(0.0, 1.0), b=st.floats(0.01, 100.0), more=st.floats(0.0, 0.5))
def test_kelly_rises_with_p_and_with_b(p, b, more):
    assert kelly_fraction(min(p + more, 1.0), b) >= kelly_fraction(p, b)
    assert kelly_fraction(p, b + more) >= kelly_fraction(p, b)


@given(b=st.floats(0.01, 100.0))
def test_kelly_is_zero_exactly_where_the_bet_is_fair(b):
    assert kelly_fraction(1 / (1 + b), b) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("p", "b"), [(-0.1, 1), (1.1, 1), (math.nan, 1), (0.5, 0), (0.5, math.inf), (0.5, math.nan)]
)
def test_kelly_refuses_what_is_no_probability_or_ratio(p, b):
    with pytest.raises(RiskError, match="kelly"):
        kelly_fraction(p, b)


def test_before_enough_trades_the_start_fraction(ledger_of):
    for n in (0, 29):
        kelly = estimate(ledger_of({"choppy": record(n, 0)} if n else {}), Regime.CHOPPY, QUARTER)
        assert kelly.fraction == QUARTER.start_fraction
        assert f"{n} of 30" in kelly.reason
    assert estimate(ledger_of({"choppy": record(20, 10)}), Regime.CHOPPY, PLAIN).fraction > 0.01


def test_trades_of_all_regimes_count_towards_the_minimum(ledger_of):
    ledger = ledger_of({"choppy": record(12, 3), "tight_range": record(12, 3)})
    assert estimate(ledger, Regime.STRONG_TREND, PLAIN).fraction > QUARTER.start_fraction


def test_a_hundred_losses_in_a_row_mean_the_floor(ledger_of):
    """It once staked 1 % on such a record."""
    kelly = estimate(ledger_of({"choppy": record(0, 100)}), Regime.CHOPPY, QUARTER)
    assert kelly.fraction == QUARTER.floor
    assert "no win" in kelly.reason


def test_a_hundred_wins_in_a_row_are_not_certainty(ledger_of):
    kelly = estimate(ledger_of({"choppy": record(100, 0)}), Regime.CHOPPY, QUARTER)
    assert 0.98 < kelly.p < 1.0
    assert kelly.fraction < QUARTER.cap / 2
    assert estimate(ledger_of({"choppy": record(100, 0)}), Regime.CHOPPY, PLAIN).fraction == QUARTER.cap


def test_an_uncertain_edge_does_not_lift_the_stake(ledger_of):
    """21 of 40 at b = 1.3: full Kelly says 16 %, but the edge is one standard error from nothing."""
    kelly = estimate(ledger_of({"choppy": record(21, 19, win=1.3)}), Regime.CHOPPY, WARY)
    assert 0.0 < kelly.mean_r < 1.2 * kelly.standard_error
    assert kelly.full_fraction > 0.15
    assert kelly.fraction == pytest.approx(QUARTER.start_fraction, abs=0.005)
    assert "uncertain" in kelly.reason
    assert estimate(ledger_of({"choppy": record(21, 19, win=1.3)}), Regime.CHOPPY, QUARTER).fraction < 0.0125
    longer = estimate(ledger_of({"choppy": record(210, 190, win=1.3)}), Regime.CHOPPY, WARY)
    assert longer.full_fraction == pytest.approx(kelly.full_fraction)
    assert longer.fraction == pytest.approx(0.25 * longer.full_fraction)


@given(wins=st.integers(1, 199), win=st.floats(0.2, 3.0), doubt=st.floats(0.1, 3.0))
def test_an_edge_within_its_error_never_lifts_size_above_the_start(wins, win, doubt):
    wary = replace(QUARTER, significance=doubt)
    ledger = TradeLedger()
    for number, r in enumerate(record(wins, 200 - wins, win=win)):
        ledger.add(ClosedTrade(number, number, Regime.CHOPPY, r, 0.0))
    kelly = estimate(ledger, Regime.CHOPPY, wary)
    if kelly.mean_r <= doubt * kelly.standard_error:
        assert kelly.fraction <= QUARTER.start_fraction


@settings(max_examples=60)
@given(wins=st.integers(1, 59), win=st.floats(0.1, 5.0))
def test_one_more_win_never_lowers_the_fraction(wins, win):
    def fraction(count):
        ledger = TradeLedger()
        for number, r in enumerate(record(count, 60 - count, win=win)):
            ledger.add(ClosedTrade(number, number, Regime.CHOPPY, r, 0.0))
        return estimate(ledger, Regime.CHOPPY, QUARTER).fraction

    assert fraction(wins + 1) >= fraction(wins)


@pytest.mark.parametrize(("config", "steepest"), [(WARY, 0.002), (QUARTER, 0.001)])
def test_the_edge_opens_the_stake_without_a_cliff(config, steepest):
    fractions = []
    for win in np.linspace(0.8, 2.2, 400):
        ledger = TradeLedger()
        for number, r in enumerate(record(100, 100, win=float(win))):
            ledger.add(ClosedTrade(number, number, Regime.CHOPPY, r, 0.0))
        kelly = estimate(ledger, Regime.CHOPPY, config)
        fractions.append(kelly.fraction)
    assert fractions[0] == config.floor
    at_the_end = config.start_fraction * (1 - kelly.trust) + 0.25 * kelly_fraction(0.5, 2.2) * kelly.trust
    assert fractions[-1] == pytest.approx(at_the_end)
    steps = np.diff(fractions)
    assert (steps >= -1e-12).all()
    assert steps.max() < steepest


def test_losses_above_one_r_cut_the_fraction(ledger_of):
    """Gaps through the stop: the same p and b, but each loss costs 1.5 times what was put at risk."""
    held = estimate(ledger_of({"choppy": record(120, 80)}), Regime.CHOPPY, PLAIN)
    gapped = estimate(ledger_of({"choppy": record(120, 80, win=1.5, loss=1.5)}), Regime.CHOPPY, PLAIN)
    assert gapped.full_fraction == pytest.approx(held.full_fraction)
    assert gapped.fraction == pytest.approx(held.fraction / 1.5)


def test_regimes_that_do_not_differ_share_one_estimate(ledger_of):
    ledger = ledger_of({"choppy": record(55, 45), "tight_range": record(55, 45)})
    both = [estimate(ledger, regime, PLAIN) for regime in (Regime.CHOPPY, Regime.TIGHT_RANGE)]
    unseen = estimate(ledger, Regime.STRONG_TREND, PLAIN)
    assert both[0].fraction == both[1].fraction == pytest.approx(unseen.fraction)
    # no difference at all lowers the weight below the prior's, 100 of 500
    assert 0.0 < both[0].regime_weight == both[1].regime_weight < 100 / 500
    assert unseen.regime_weight == 0.0


def test_a_regime_with_a_record_of_its_own_moves_away_from_the_pool_by_its_weight(ledger_of):
    ledger = ledger_of({"strong_trend": record(80, 20), "choppy": record(40, 60)})
    strong = estimate(ledger, Regime.STRONG_TREND, PLAIN)
    choppy = estimate(ledger, Regime.CHOPPY, PLAIN)
    # means +0.6, −0.2 and +0.2 in all. Between: 200·0.4² on 1 degree of freedom; within: 200 − 100·(0.6² +
    # 0.2²) on 198. Expected of regimes that differ as the prior says: 1 + 100/400, counted 50 times.
    mean_square = (32 / (160 / 198) + 50 * 1.25) / 51
    spread = (mean_square - 1) / 100
    assert strong.regime_weight == pytest.approx(100 * spread / (1 + 100 * spread))
    assert strong.mean_r == pytest.approx(0.6 * strong.regime_weight + 0.2 * (1 - strong.regime_weight))
    assert strong.p == pytest.approx(0.8 * strong.regime_weight + 0.6 * (1 - strong.regime_weight))
    assert strong.fraction > choppy.fraction


def test_the_longer_regimes_keep_apart_the_less_the_prior_says(ledger_of):
    def weights(times, good):
        parts = {
            "strong_trend": record(good * times, (100 - good) * times),
            "choppy": record(40 * times, 60 * times),
        }
        return estimate(ledger_of(parts), Regime.STRONG_TREND, PLAIN).regime_weight

    by_the_prior_alone = [100 * times / (100 * times + 400) for times in (1, 10)]
    assert by_the_prior_alone[0] < weights(1, 80) < weights(10, 80)
    assert weights(10, 80) > 0.9 > by_the_prior_alone[1]
    assert weights(10, 40) < by_the_prior_alone[1]


def test_few_trades_of_a_regime_weigh_little(ledger_of):
    ledger = ledger_of({"strong_trend": record(150, 50), "choppy": record(40, 60), "tight_range": [-1.0] * 3})
    kelly = estimate(ledger, Regime.TIGHT_RANGE, PLAIN)
    assert 0.0 < kelly.regime_weight <= 3 / 33
    assert kelly.n_regime == 3


r_lists = st.lists(st.one_of(st.floats(-3.0, 5.0), st.just(0.0)), max_size=40)


@settings(max_examples=200)
@given(
    records=st.dictionaries(st.sampled_from(list(Regime)), r_lists, max_size=5),
    part=st.floats(0.01, 1.0),
    prior=st.integers(1, 1000),
    start=st.integers(0, 2000),
)
def test_whatever_happened_the_fraction_lies_between_floor_and_cap(records, part, prior, start):
    config = KellySettings(fraction=part, prior_trades=prior, start_trades=start)
    ledger, number = TradeLedger(), 0
    for regime, multiples in records.items():
        for r in multiples:
            number += 1
            ledger.add(ClosedTrade(number, number, regime, r, r))
    for regime in Regime:
        kelly = estimate(ledger, regime, config)
        assert config.floor <= kelly.fraction <= config.cap
        assert 0.0 <= kelly.regime_weight < 1.0
        assert 0.0 <= kelly.trust <= 1.0 + 1e-12
        assert kelly.reason
        if kelly.n >= config.min_trades and kelly.b > 0 and kelly.p <= 1 / (1 + kelly.b):
            assert kelly.fraction == config.floor


def test_money_does_not_count_only_r_does(ledger_of):
    ledger = TradeLedger()
    for number, r in enumerate(record(60, 40)):
        ledger.add(ClosedTrade(number, number, Regime.CHOPPY, r, 1e6 * r * number))
    assert estimate(ledger, Regime.CHOPPY, QUARTER) == estimate(
        ledger_of({"choppy": record(60, 40)}), Regime.CHOPPY, QUARTER
    )


def test_switched_off_it_stays_at_the_start_fraction(ledger_of):
    ledger = ledger_of({"choppy": record(80, 20)})
    off = estimate(ledger, Regime.CHOPPY, QUARTER, ComponentSettings(kelly=False))
    on = estimate(ledger, Regime.CHOPPY, QUARTER, ComponentSettings())
    assert off.fraction == QUARTER.start_fraction
    assert on.fraction > off.fraction


@pytest.mark.parametrize(
    ("drawdown", "multiplier"),
    [(0.0, 1.0), (0.05, 0.7875), (0.10, 0.575), (0.15, 0.3625), (0.20, 0.15), (0.6, 0.15), (1.0, 0.15)],
)
def test_the_throttle_falls_in_a_straight_line(drawdown, multiplier):
    assert drawdown_multiplier(drawdown, QUARTER) == pytest.approx(multiplier)


@given(drawdown=st.floats(0.0, 0.999), more=st.floats(0.0, 0.001))
def test_a_deeper_drawdown_never_means_more_and_never_a_cliff(drawdown, more):
    here, there = drawdown_multiplier(drawdown, QUARTER), drawdown_multiplier(drawdown + more, QUARTER)
    assert 0.0 <= here - there <= 0.85 / 0.20 * more + 1e-12


def test_the_throttle_may_start_late():
    late = replace(QUARTER, drawdown_start=0.05, drawdown_full=0.15, drawdown_floor=0.25)
    assert [drawdown_multiplier(x, late) for x in (0.05, 0.10, 0.15)] == pytest.approx([1.0, 0.625, 0.25])


def test_the_throttle_can_be_switched_off_and_refuses_nonsense():
    assert drawdown_multiplier(0.5, QUARTER, ComponentSettings(drawdown_throttle=False)) == 1.0
    for bad in (-0.01, 1.01, math.nan):
        with pytest.raises(RiskError, match="drawdown"):
            drawdown_multiplier(bad, QUARTER)
