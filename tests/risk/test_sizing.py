"""From fraction to stake: what it costs at the stop, and which limit decided."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adaptive_pkg.enums import SizingMode
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk import drawdown_multiplier, size_position
from adaptive_pkg.settings import KellySettings, SizingSettings

ROOMY = SizingSettings(max_position_fraction=1.0, max_loss_fraction=0.5)
BASE = {"equity": 10_000.0, "loss_fraction": 0.02, "fraction": 0.01, "cap": 0.10, "settings": ROOMY}


def size(**changes):
    return size_position(**(BASE | changes))


def test_the_stop_costs_the_fraction():
    decision = size()
    assert (decision.stake, decision.notional) == (pytest.approx(5_000.0), pytest.approx(5_000.0))
    assert decision.risk_fraction == pytest.approx(0.01)
    assert decision.capped_by == ""


def test_a_planned_stop_costs_the_fraction_fees_included(make_plan):
    plan = make_plan()
    decision = size(loss_fraction=plan.loss_fraction)
    amount = decision.notional / plan.entry_price
    loss = amount * (plan.entry_price * 1.001 - plan.initial_stop * 0.999)
    assert loss == pytest.approx(0.01 * 10_000)


def test_notional_mode_puts_the_fraction_into_the_position():
    literal = SizingSettings(mode=SizingMode.NOTIONAL)
    assert size(settings=literal).notional == pytest.approx(100.0)
    assert size(settings=literal, loss_fraction=0.5).notional == pytest.approx(100.0)
    assert size(settings=literal).risk_fraction == pytest.approx(0.0002)


def test_multipliers_multiply_and_are_shown():
    decision = size(size_multiplier=0.6, confidence_multiplier=0.3, drawdown_multiplier=0.25)
    assert decision.stake == pytest.approx(5_000 * 0.6 * 0.3 * 0.25)
    assert decision.breakdown["confidence_multiplier"] == 0.3
    assert "confidence_multiplier 0.3" in decision.reason


def test_leverage_divides_the_stake_and_not_the_position():
    one, five = size(), size(leverage=5.0)
    assert five.notional == pytest.approx(one.notional)
    assert five.stake == pytest.approx(one.stake / 5)
    assert five.risk_fraction == pytest.approx(one.risk_fraction)


@pytest.mark.parametrize(
    ("changes", "stake", "limit"),
    [
        # a preset's 1.2 after a capped 10 % once made it 12 %
        ({"fraction": 0.10, "size_multiplier": 1.2, "loss_fraction": 0.2}, 5_000.0, "cap 0.1"),
        ({"settings": SizingSettings(max_position_fraction=0.3)}, 3_000.0, "max_position_fraction 0.3"),
        (
            {"fraction": 0.10, "settings": SizingSettings(max_position_fraction=1.0, max_loss_fraction=0.01)},
            5_000.0,
            "max_loss_fraction 0.01",
        ),
        ({"max_stake": 120.0}, 120.0, "max_stake 120"),
        ({"max_stake": 0.0}, 0.0, "max_stake 0"),
    ],
)
def test_the_limit_that_decided_is_named(changes, stake, limit):
    decision = size(**changes)
    assert decision.stake == pytest.approx(stake)
    assert decision.capped_by == limit


def test_a_stake_below_the_minimum_is_refused_and_never_raised():
    decision = size(equity=500.0, min_stake=300.0)
    assert (decision.stake, decision.notional, decision.risk_fraction) == (0.0, 0.0, 0.0)
    assert decision.capped_by == "min_stake 300 above the stake 250"
    assert size(equity=600.0, min_stake=300.0).stake == pytest.approx(300.0)


@pytest.mark.parametrize(
    "name", ["fraction", "size_multiplier", "confidence_multiplier", "drawdown_multiplier"]
)
def test_a_factor_of_zero_means_no_entry(name):
    decision = size(**{name: 0.0})
    assert decision.stake == 0.0
    assert decision.capped_by == "a factor of 0"


POSITIVE = ("equity", "loss_fraction", "leverage")
NOT_NEGATIVE = (
    "fraction",
    "cap",
    "size_multiplier",
    "confidence_multiplier",
    "drawdown_multiplier",
    "min_stake",
)


@pytest.mark.parametrize(
    ("name", "bad"),
    [(name, bad) for name in POSITIVE for bad in (math.nan, math.inf, 0.0, -1.0)]
    + [(name, bad) for name in NOT_NEGATIVE for bad in (math.nan, math.inf, -0.1)]
    + [("max_stake", math.nan), ("max_stake", -1.0), ("leverage", 0.5)],
)
def test_unusable_numbers_are_refused_by_name(name, bad):
    with pytest.raises(RiskError, match=name):
        size(**{name: bad})


share = st.floats(0.0, 1.0)
inputs = st.fixed_dictionaries(
    {
        "equity": st.floats(1.0, 1e9),
        "loss_fraction": st.floats(0.0005, 0.5),
        "fraction": st.floats(0.0, 0.5),
        "cap": st.floats(0.001, 0.5),
        "size_multiplier": st.floats(0.0, 2.0),
        "confidence_multiplier": share,
        "leverage": st.floats(1.0, 125.0),
        "min_stake": st.one_of(st.none(), st.floats(0.0, 100.0)),
        "max_stake": st.one_of(st.just(math.inf), st.floats(0.0, 1e9)),
        "settings": st.builds(
            SizingSettings, st.sampled_from(SizingMode), st.floats(0.01, 1.0), st.floats(0.001, 0.5)
        ),
    }
)


@given(inputs=inputs, drawdown_multiplier=share)
def test_the_loss_at_the_stop_never_exceeds_any_limit(inputs, drawdown_multiplier):
    decision = size_position(**inputs, drawdown_multiplier=drawdown_multiplier)
    limits, equity, slack = inputs["settings"], inputs["equity"], 1 + 1e-9
    loss = decision.notional * inputs["loss_fraction"]
    assert loss <= limits.max_loss_fraction * equity * slack
    assert decision.stake <= limits.max_position_fraction * equity * slack
    assert decision.stake <= inputs["max_stake"]
    if limits.mode is SizingMode.RISK:
        assert loss <= inputs["cap"] * equity * slack
    assert decision.stake == 0.0 or decision.stake >= (inputs["min_stake"] or 0.0)
    assert decision.risk_fraction == pytest.approx(loss / equity)


@given(inputs=inputs, drawdown=share, deeper=share)
def test_size_never_rises_with_drawdown(inputs, drawdown, deeper):
    assume(drawdown <= deeper)
    here, there = (
        size_position(**inputs, drawdown_multiplier=drawdown_multiplier(depth, KellySettings())).stake
        for depth in (drawdown, deeper)
    )
    assert there <= here


@given(inputs=inputs, farther=st.floats(1.0, 4.0))
def test_a_farther_stop_never_means_a_larger_position(inputs, farther):
    far = inputs | {"loss_fraction": inputs["loss_fraction"] * farther}
    assert size_position(**far).stake <= size_position(**inputs).stake * (1 + 1e-12)
