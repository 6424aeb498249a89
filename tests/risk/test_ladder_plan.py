"""A ladder's plan: where its rungs and steps stand, and that the whole of it stays within the risk taken."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.enums import Regime, StopStage
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk import advance, initial_state, plan_stop, size_position
from adaptive_pkg.risk.ladder import LADDER_KEY, LadderPlan, LadderState, plan_ladder, rebase
from adaptive_pkg.settings import (
    DEFAULT_PRESETS,
    ComponentSettings,
    KellySettings,
    LadderSettings,
    Preset,
    SizingSettings,
    StopSettings,
)

ON = ComponentSettings()
DCA = Preset(allow_dca=True, dca_levels=2, stop_atr=2.0, target_atr=3.0)
GRID = replace(DCA, allow_grid=True)

presets = st.builds(
    Preset,
    stop_atr=st.floats(0.5, 4.0),
    target_atr=st.floats(0.5, 5.0),
    allow_dca=st.just(True),
    allow_grid=st.booleans(),
    dca_levels=st.integers(0, 8),
    dca_spacing=st.floats(0.1, 4.0),
    scale_out=st.booleans(),
)
ladders = st.builds(
    LadderSettings,
    depth=st.floats(0.05, 0.95),
    weight=st.floats(0.1, 5.0),
    grid_step=st.floats(0.1, 3.0),
)
sides = st.sampled_from(["long", "short"])


def stop_of(side, preset, entry=100.0, atr=1.0, fee=0.001, components=ON):
    return plan_stop(side, entry, atr, 100 * atr / entry, 1.0, preset, StopSettings(), components, fee)


def loss_in_cash(plan, fills, leverage=1.0):
    """What is lost when orders (price, stake) are closed at the stop: cash paid less cash received."""
    lost = 0.0
    for price, stake in fills:
        amount = stake * leverage / price
        bought, sold = (price, plan.stop_price) if plan.side == "long" else (plan.stop_price, price)
        lost += amount * (bought * (1 + plan.fee) - sold * (1 - plan.fee))
    return lost


@pytest.mark.parametrize(
    ("regime", "rungs", "steps"),
    [
        (Regime.STRONG_TREND, [], []),
        (Regime.VOLATILE_TREND, [98.3125], [102.0]),  # spacing 1.5: the second rung is too deep
        (Regime.TIGHT_RANGE, [99.775, 99.55, 99.325, 99.1], []),
        (Regime.CHOPPY, [], []),
        (Regime.TRANSITIONAL, [99.25, 98.5], [101.25]),
    ],
)
def test_each_regime_has_the_ladder_its_preset_says(regime, rungs, steps):
    preset = DEFAULT_PRESETS[regime]
    for side, sign in (("long", 1), ("short", -1)):
        plan = plan_ladder(stop_of(side, preset), preset, LadderSettings(), ON)
        assert plan.rungs == pytest.approx([100 + sign * (price - 100) for price in rungs])
        assert plan.scale_out_prices == pytest.approx([100 + sign * (price - 100) for price in steps])
        assert plan.grid is (regime is Regime.TIGHT_RANGE)
        assert len(plan.sells) == (4 if plan.grid else 0)


@pytest.mark.parametrize(
    ("spacing", "prices"),
    [(0.5, [99.625, 99.25]), (1.0, [99.25, 98.5]), (1.01, [99.2425]), (2.0, [98.5]), (2.01, [])],
)
def test_wider_spacing_gives_fewer_rungs_never_deeper_ones(spacing, prices):
    preset = replace(DCA, dca_spacing=spacing)
    plan = plan_ladder(stop_of("long", preset), preset, LadderSettings(), ON)
    assert plan.rungs == pytest.approx(prices)


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_each_rung_is_weight_times_the_order_before_it(weight):
    plan = plan_ladder(stop_of("long", DCA), DCA, LadderSettings(weight=weight), ON).with_stake(700.0)
    assert plan.rung_stake(1) == pytest.approx(weight * plan.first_stake)
    assert plan.rung_stake(2) == pytest.approx(weight * plan.rung_stake(1))
    assert plan.first_stake + plan.rung_stake(1) + plan.rung_stake(2) == pytest.approx(700.0)


@pytest.mark.parametrize(
    ("preset", "components"),
    [
        (replace(GRID, scale_out=True), ComponentSettings(ladder=False)),
        (replace(GRID, allow_dca=False), ON),
        (replace(GRID, dca_levels=0), ON),
        (replace(GRID, dca_levels=1, dca_spacing=1.5), ON),  # its one rung is too deep
    ],
)
@pytest.mark.parametrize("side", ["long", "short"])
def test_a_ladder_without_rungs_risks_exactly_what_its_stop_costs(preset, components, side):
    stop_plan = stop_of(side, preset)
    plan = plan_ladder(stop_plan, preset, LadderSettings(), components)
    assert (plan.rungs, plan.shares, plan.grid) == ((), (1.0,), False)
    assert plan.loss_fraction == stop_plan.loss_fraction
    assert plan.scale_out_prices == ()


def test_steps_need_the_preset_the_switch_and_a_target_in_force():
    preset = replace(DCA, scale_out=True)
    two = LadderSettings(scale_out_steps=(0.4, 0.8), scale_out_shares=(0.3, 0.2))
    plan = plan_ladder(stop_of("short", preset), preset, two, ON)
    assert plan.scale_out_prices == pytest.approx([98.8, 97.6])
    assert plan.scale_out_shares == (0.3, 0.2)
    no_target = ComponentSettings(target=False)
    assert (
        plan_ladder(stop_of("short", preset, components=no_target), preset, two, no_target).scale_out_prices
        == ()
    )
    assert plan_ladder(stop_of("short", DCA), DCA, two, ON).scale_out_prices == ()


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("fee", [0.0, 0.001, 0.005])
def test_a_grid_round_earns_its_step_after_both_fees(side, fee):
    """One step of a narrow grid is less than two fees: sold at a bare step it would lose on each round."""
    plan = plan_ladder(stop_of(side, GRID, fee=fee), GRID, LadderSettings(grid_step=0.1), ON)
    for rung, sell in zip(plan.rungs, plan.sells, strict=True):
        bought, sold = (rung, sell) if side == "long" else (sell, rung)
        assert sold * (1 - fee) - bought * (1 + fee) == pytest.approx(0.1 * 0.75)


def test_a_rung_filled_worse_is_sold_farther_and_one_filled_better_waits():
    plan = plan_ladder(stop_of("long", GRID, fee=0.0), GRID, LadderSettings(), ON)
    assert plan.sell_price(1, plan.rungs[0]) == pytest.approx(100.0)
    assert plan.sell_price(1, plan.rungs[0] + 0.2) == pytest.approx(100.2)
    assert plan.sell_price(1, plan.rungs[0] - 0.2) == pytest.approx(100.0)
    short = plan_ladder(stop_of("short", GRID, fee=0.0), GRID, LadderSettings(), ON)
    assert short.sell_price(1, short.rungs[0] - 0.2) == pytest.approx(99.8)


@given(side=sides, preset=presets, settings=ladders, atr=st.floats(0.05, 4.0))
def test_rungs_lie_in_order_strictly_between_entry_and_stop(side, preset, settings, atr):
    stop_plan = stop_of(side, preset, atr=atr)
    plan = plan_ladder(stop_plan, preset, settings, ON)
    away = [abs(price - 100.0) for price in plan.rungs]
    way = abs(100.0 - stop_plan.initial_stop)
    assert away == sorted(set(away))
    assert all(0.0 < x <= settings.depth * way * (1 + 1e-6) < way for x in away)
    assert all((price < 100.0) is (side == "long") for price in plan.rungs)
    assert math.fsum(plan.shares) == pytest.approx(1.0, abs=1e-12)
    assert len(plan.rungs) <= preset.dca_levels
    assert LadderPlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


@given(preset=presets, settings=ladders)
def test_a_short_mirrors_a_long(preset, settings):
    long, short = (plan_ladder(stop_of(side, preset, fee=0.0), preset, settings, ON) for side in _SIDES)
    for name in ("rungs", "sells", "scale_out_prices"):
        mirrored = [200.0 - price for price in getattr(short, name)]
        assert getattr(long, name) == pytest.approx(mirrored, abs=1e-9)
    assert long.shares == short.shares


_SIDES = ("long", "short")


@given(
    side=sides,
    preset=presets,
    settings=ladders,
    fee=st.floats(0.0, 0.01),
    leverage=st.floats(1.0, 10.0),
    deeper=st.lists(st.floats(0.0, 1.0), min_size=9, max_size=9),
)
def test_however_many_rungs_fill_the_loss_stays_within_the_risk_planned(
    side, preset, settings, fee, leverage, deeper
):
    plan = plan_ladder(stop_of(side, preset, fee=fee), preset, settings, ON).with_stake(1000.0)
    risk = plan.risk_money(leverage)
    stakes = [1000.0 * share for share in plan.shares]
    planned = list(zip((plan.entry_price, *plan.rungs), stakes, strict=True))
    # any price between the rung and the stop, as after a gap past several rungs
    gapped = planned[:1] + [
        (price + part * (plan.stop_price - price), stake)
        for (price, stake), part in zip(planned[1:], deeper, strict=False)
    ]
    for filled in range(1, len(planned) + 1):
        assert 0.0 < loss_in_cash(plan, planned[:filled], leverage) <= risk * (1 + 1e-9)
        assert loss_in_cash(plan, gapped[:filled], leverage) <= risk * (1 + 1e-9)
    assert loss_in_cash(plan, planned, leverage) == pytest.approx(risk)  # all filled: to the cent


@given(side=sides, fee=st.floats(0.0, 0.01), parts=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_nearer_an_order_fills_to_the_stop_the_less_it_loses(side, fee, parts):
    plan = plan_ladder(stop_of(side, DCA, fee=fee), DCA, LadderSettings(), ON)
    near, far = (
        plan.loss_at(plan.stop_price + part * (plan.entry_price - plan.stop_price)) for part in sorted(parts)
    )
    assert near <= far + 1e-12
    assert near >= 0.0
    assert far <= plan.loss_at(plan.entry_price) + 1e-12


@pytest.mark.parametrize(("side", "fill"), [("long", 99.65), ("short", 100.35)])
def test_a_bounced_fill_costs_what_the_docstring_of_the_ladder_says(side, fill):
    plan = plan_ladder(stop_of(side, DCA), DCA, LadderSettings(), ON)
    rung, fee = plan.rungs[0], plan.fee
    more = (1 - fee) * plan.stop_price * (1 / rung - 1 / fill)
    if side == "short":
        more = (1 + fee) * plan.stop_price * (1 / fill - 1 / rung)
    assert plan.loss_at(fill) - plan.loss_at(rung) == pytest.approx(more)
    assert more == pytest.approx(0.4 / 99.6, rel=0.05)  # about the bounce itself


@pytest.mark.parametrize("side", ["long", "short"])
def test_sized_by_its_loss_fraction_the_whole_ladder_costs_the_fraction_decided(side):
    """The stake is for all orders together: sized by the stop alone, DCA would double and treble the risk."""
    stop_plan = stop_of(side, DCA)
    plan = plan_ladder(stop_plan, DCA, LadderSettings(), ON)
    decision = size_position(
        equity=10_000.0,
        loss_fraction=plan.loss_fraction,
        fraction=0.01,
        cap=KellySettings().cap,
        settings=SizingSettings(max_position_fraction=1.0),
    )
    plan = plan.with_stake(decision.stake)
    fills = [
        (plan.entry_price, plan.first_stake),
        *[(price, plan.rung_stake(i)) for i, price in enumerate(plan.rungs, start=1)],
    ]
    assert loss_in_cash(plan, fills) == pytest.approx(100.0)  # 1 % of the equity
    assert loss_in_cash(plan, fills[:1]) < 100.0
    assert plan.risk_money() == pytest.approx(100.0)


def test_reserve_falls_with_each_rung_bought_and_ends_with_the_first_move_of_the_stop():
    plan = plan_ladder(stop_of("long", GRID), GRID, LadderSettings(), ON).with_stake(300.0)
    orders = [(True, "signal", 100.0, 1.0, 100.0)]
    assert plan.reserved(LadderState.from_orders(orders)) == pytest.approx(200.0)
    orders.append((True, "rung 1", 99.25, 100 / 99.25, 100.0))
    bought = LadderState.from_orders(orders)
    assert plan.reserved(bought) == pytest.approx(100.0)
    assert plan.reserved(bought, StopStage.BREAKEVEN) == 0.0
    orders.append((False, "sell rung 1", 100.3, 100 / 99.25, 0.0))
    assert plan.reserved(LadderState.from_orders(orders)) == pytest.approx(200.0)  # it may be bought again
    larger = LadderState.from_orders([(True, "signal", 100.0, 1.3, 130.0)])
    assert plan.reserved(larger) == pytest.approx(170.0)  # all orders together stay at 300


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_stake_and_leverage_must_make_sense(bad):
    plan = plan_ladder(stop_of("long", DCA), DCA, LadderSettings(), ON)
    with pytest.raises(RiskError, match="planned_stake"):
        plan.with_stake(bad)
    with pytest.raises(RiskError, match="leverage"):
        plan.risk_money(bad)
    assert plan.risk_money(3.0) == 0.0  # no stake yet


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"version": 2}, "version"),
        ({"version": None}, "version"),
        ({"side": "flat"}, "side"),
        ({"grid": 1}, "grid"),
        ({"fee": math.nan}, "fee"),
        ({"planned_stake": -1.0}, "planned_stake"),
        ({"planned_stake": True}, "planned_stake"),
        ({"rungs": [99.25]}, "shares"),
        ({"rungs": [98.5, 99.25]}, "order"),
        ({"rungs": [99.25, 97.9]}, "order"),
        ({"rungs": [100.5, 98.5]}, "order"),
        ({"rungs": ["99.25", 98.5]}, "rungs"),
        ({"rungs": 99.25}, "rungs"),
        ({"shares": [0.5, 0.25, 0.2]}, "shares"),
        ({"shares": [0.5, 0.75, -0.25]}, "shares"),
        ({"sells": [100.0]}, "sells"),
        ({"sells": [99.2, 99.4]}, "order"),
        ({"grid": False}, "sells"),
        ({"scale_out_prices": [99.9]}, "order"),
        ({"scale_out_prices": []}, "scale_out_shares"),
        ({"scale_out_shares": [1.0]}, "scale_out_shares"),
        ({"stop_price": 101.0}, "order"),
        ({"surprise": 1.0}, "surprise"),
    ],
)
def test_a_spoilt_plan_is_an_error_and_not_a_guess(change, names):
    preset = replace(GRID, scale_out=True)
    stored = plan_ladder(stop_of("long", preset), preset, LadderSettings(), ON).to_dict()
    assert LadderPlan.from_dict(stored)
    with pytest.raises(RiskError, match=names):
        LadderPlan.from_dict(stored | change)


def test_no_plan_or_half_of_one_is_an_error_and_whole_numbers_are_read():
    stored = plan_ladder(stop_of("long", DCA), DCA, LadderSettings(), ON).to_dict()
    assert type(LadderPlan.from_dict(stored | {"entry_price": 100}).entry_price) is float
    del stored["shares"]
    for spoilt in (stored, None, "ladder"):
        with pytest.raises(RiskError, match="add nothing"):
            LadderPlan.from_dict(spoilt)


def test_the_key_holds_no_wildcard_of_the_store():
    assert not set(LADDER_KEY) & set("_%")


@pytest.mark.parametrize(("side", "average"), [("long", 99.4), ("short", 100.6)])
def test_a_ladder_fill_moves_breakeven_and_target_but_not_the_stop(side, average):
    before = stop_of(side, DCA)
    after = rebase(before, average)
    sign = 1 if side == "long" else -1
    assert after.initial_stop == before.initial_stop
    assert after.target_price == pytest.approx(average + sign * 3.0)
    bought, sold = (average, after.breakeven_stop) if side == "long" else (after.breakeven_stop, average)
    assert sold * (1 - 0.001) - bought * (1 + 0.001) == pytest.approx(0.0)
    restored = replace(
        after,
        entry_price=before.entry_price,
        breakeven_stop=before.breakeven_stop,
        target_price=before.target_price,
    )
    assert restored == before  # nothing else has changed


def test_after_a_fill_the_triggers_are_measured_from_the_new_average():
    plan = rebase(stop_of("long", DCA), 99.0)
    state = initial_state(plan)
    assert advance(plan, state, 99.0 * 1.0149, 1.0).stage is StopStage.INITIAL
    assert advance(plan, state, 99.0 * 1.0151, 1.0).stage is StopStage.BREAKEVEN


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0, 97.0, 98.0])
def test_an_average_that_cannot_be_keeps_the_old_plan(bad):
    with pytest.raises(RiskError):
        rebase(stop_of("long", DCA), bad)
