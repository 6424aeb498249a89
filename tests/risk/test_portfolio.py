"""One more trade beside those that are open: what it is let in for, and what refuses it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.portfolio import Admission, EntryRequest, Holding, LastExit, admit, open_risk
from adaptive_pkg.settings import ComponentSettings, PortfolioSettings, Preset

HOUR = 3_600
NOW = datetime(2023, 5, 1, 12, tzinfo=UTC)
EQUITY = 10_000.0
BTC, ETH, SOL = "BTC/USDT", "ETH/USDT", "SOL/USDT"
SETTINGS = PortfolioSettings(max_heat=0.06, max_correlated_heat=0.04)
PRESET = Preset(max_positions=5)
OFF = ComponentSettings(portfolio_limits=False)


def ask(request=None, holdings=(), rho=0.0, **changes):
    """Ask for a long of 1 % in BTC. `rho`: one correlation for every pair, or one by pair."""
    given_ = {
        "equity": EQUITY,
        "preset": PRESET,
        "settings": SETTINGS,
        "components": ComponentSettings(),
        "correlation": rho.__getitem__ if isinstance(rho, dict) else lambda pair: rho,
        "last_exit": None,
        "now": NOW,
        "timeframe_seconds": HOUR,
    }
    return admit(request or wanted(), holdings, **(given_ | changes))


def wanted(risk=100.0, side="long", pair=BTC):
    return EntryRequest(pair, side, risk, Regime.CHOPPY)


def held(risk=100.0, side="long", pair=ETH, reserved=0.0):
    return Holding(pair, side, risk, reserved)


def exit_(hours, side="long"):
    return LastExit(NOW - timedelta(hours=hours), side)


# --- what a trade still risks ------------------------------------------------------------------------


def test_a_planned_trade_risks_its_plans_loss(make_plan):
    for side in ("long", "short"):
        plan = make_plan(side=side)
        risk = open_risk(side, 2.0, plan.entry_price, plan.initial_stop, plan.fee)
        assert risk == pytest.approx(plan.loss_fraction * 2.0 * plan.entry_price)
        at_breakeven = open_risk(side, 2.0, plan.entry_price, plan.breakeven_stop, plan.fee)
        assert at_breakeven == pytest.approx(0.0, abs=1e-9)


def test_by_hand_both_fees_included():
    assert open_risk("long", 10.0, 100.0, 95.0, 0.001) == pytest.approx(10 * (5 + 0.195))
    assert open_risk("short", 10.0, 100.0, 105.0, 0.001) == pytest.approx(10 * (5 + 0.205))


def test_a_stop_that_locks_a_profit_in_risks_nothing():
    assert open_risk("long", 10.0, 100.0, 103.0, 0.001) == 0.0
    assert open_risk("short", 10.0, 100.0, 97.0, 0.001) == 0.0
    assert open_risk("long", 10.0, 100.0, 100.1, 0.001) > 0.0  # the fees are not earned yet


PRICES = st.floats(1e-6, 1e6)


@given(amount=st.floats(0, 1e9), entry=PRICES, stop=PRICES, fee=st.floats(0, 0.099))
def test_it_is_never_negative_and_falls_as_the_stop_comes_nearer(amount, entry, stop, fee):
    rounding = 1e-12 * amount * (entry + stop)
    for side, nearer in (("long", 1.01), ("short", 0.99)):
        risk = open_risk(side, amount, entry, stop, fee)
        assert 0.0 <= open_risk(side, amount, entry, stop * nearer, fee) <= risk + rounding


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("position", [1, 2, 3, 4])
def test_a_trade_with_a_senseless_number_has_no_risk_but_an_error(bad, position):
    numbers = ["long", 1.0, 100.0, 95.0, 0.001]
    numbers[position] = bad
    with pytest.raises(RiskError):
        open_risk(*numbers)


def test_a_side_that_is_neither_is_an_error():
    for make in (
        lambda: open_risk("buy", 1.0, 100.0, 95.0, 0.001),
        lambda: held(side="buy"),
        lambda: wanted(side="LONG"),
        lambda: exit_(1, side=""),
    ):
        with pytest.raises(RiskError, match="neither 'long' nor 'short'"):
            make()


# --- heat --------------------------------------------------------------------------------------------


def test_a_first_trade_brings_only_its_own_heat():
    answer = ask()
    assert answer == Admission(True, "heat 1.00%, correlated 1.00%", 0.01, 0.01)


def test_heat_adds_up_what_is_open_what_is_reserved_and_what_is_new():
    full = [held(250.0), held(150.0, pair=SOL, reserved=100.0)]
    assert ask(holdings=full).allowed  # 2.5 + 2.5 + 1.0: exactly 6 %
    answer = ask(wanted(101.0), full)
    assert not answer.allowed
    assert answer.limit == "max_heat"
    assert answer.heat == pytest.approx(0.0601)
    assert answer.reason == "heat 6.01% of equity (5.00% open, 1.01% new) is above 6.00%"


def test_a_trade_whose_stop_has_passed_breakeven_leaves_its_room_to_others():
    assert not ask(holdings=[held(550.0)]).allowed
    assert ask(holdings=[held(0.0)]).allowed


def test_reduce_exposure_halves_both_heat_limits():
    careful = replace(PRESET, reduce_exposure=True)
    assert ask(wanted(200.0), preset=careful).allowed
    alone = ask(wanted(201.0), preset=careful)
    assert alone.limit == "max_correlated_heat"
    assert "is above 2.00%, halved in choppy: 2.01% new" in alone.reason
    together = ask(wanted(200.0), [held(101.0)], preset=careful)
    assert together.limit == "max_heat"
    assert "is above 3.00%, halved in choppy" in together.reason


def test_a_stake_sized_exactly_to_the_limit_is_within_it():
    assert 0.1 + 0.2 > 0.3
    exact = PortfolioSettings(max_heat=0.3, max_correlated_heat=1.0)
    assert ask(wanted(2_000.0), [held(1_000.0)], settings=exact).allowed
    assert not ask(wanted(2_000.1), [held(1_000.0)], settings=exact).allowed


# --- correlation -------------------------------------------------------------------------------------


def test_pairs_that_move_together_share_one_limit():
    answer = ask(wanted(200.0), [held(250.0), held(100.0, pair=SOL)], rho={ETH: 0.8, SOL: 0.3})
    assert answer.limit == "max_correlated_heat"
    assert answer.correlated_heat == pytest.approx((200 + 250 * 0.8 + 100 * 0.3) / EQUITY)
    assert answer.reason == (
        "correlated heat 4.30% of equity is above 4.00%: 2.00% new, "
        "ETH/USDT long 2.50% × 0.80, SOL/USDT long 1.00% × 0.30"
    )
    assert ask(wanted(200.0), [held(250.0), held(100.0, pair=SOL)], rho={ETH: 0.6, SOL: 0.3}).allowed


def test_the_other_side_of_a_correlated_pair_is_no_added_risk_but_of_an_opposed_one_it_is():
    """A long beside a short of a pair that moves alike is a hedge; it is never credited below zero."""
    hedge = ask(wanted(200.0), [held(350.0, "short")], rho=0.9)
    assert hedge.allowed
    assert hedge.correlated_heat == pytest.approx(0.02)
    assert ask(wanted(200.0), [held(350.0, "short")], rho=-0.9).limit == "max_correlated_heat"
    assert ask(wanted(200.0), [held(350.0, "long")], rho=-0.9).allowed


def test_the_reason_names_what_weighs_most_and_leaves_out_what_weighs_nothing():
    holdings = [held(50.0, pair="A/USDT"), held(150.0, "short"), held(200.0, pair=SOL)]
    answer = ask(wanted(200.0), holdings, rho={"A/USDT": 0.5, ETH: 0.9, SOL: 0.95})
    assert answer.reason.endswith("2.00% new, SOL/USDT long 2.00% × 0.95, A/USDT long 0.50% × 0.50")


def test_an_unknown_correlation_counts_in_full_on_either_side():
    for side in ("long", "short"):
        answer = ask(wanted(200.0), [held(250.0, side)], rho=math.nan)
        assert answer.limit == "max_correlated_heat"
        assert f"ETH/USDT {side} 2.50% × 1.00 (correlation unknown)" in answer.reason
    passed = ask(wanted(100.0), [held(100.0)], rho=math.nan)
    assert passed.allowed
    assert passed.reason.endswith("correlation with ETH/USDT unknown, counted as 1")


def test_another_trade_in_the_same_pair_moves_with_it_and_nobody_is_asked():
    answer = ask(wanted(200.0), [held(250.0, pair=BTC)], rho={})
    assert answer.correlated_heat == pytest.approx(0.045)


def test_ladder_rungs_that_would_fill_together_count_as_correlated_too():
    assert ask(wanted(200.0), [held(100.0, reserved=150.0)], rho=1.0).limit == "max_correlated_heat"


# --- positions, cooldown, reversals, pause -----------------------------------------------------------


def test_a_preset_allows_so_many_trades_and_no_more():
    two = replace(PRESET, max_positions=2)
    assert ask(holdings=[held(1.0)], preset=two).allowed
    answer = ask(holdings=[held(1.0), held(1.0, pair=SOL)], preset=two)
    assert (answer.allowed, answer.limit) == (False, "max_positions")
    assert answer.reason == "2 open trades; choppy allows 2"
    assert not ask(preset=replace(PRESET, max_positions=0)).allowed


def test_after_an_exit_a_pair_rests_for_whole_candles():
    """As freqtrade's CooldownPeriod counts: the candle of the exit, and then so many."""
    tired = replace(PRESET, cooldown=1.5)  # 2 × 1.5: three candles
    assert [ask(preset=tired, last_exit=exit_(hours)).allowed for hours in range(6)] == [False] * 4 + [
        True
    ] * 2
    answer = ask(preset=tired, last_exit=exit_(1))
    assert answer.limit == "cooldown"
    assert answer.reason == (
        "1 candle since the last exit in BTC/USDT; choppy waits for more than 3 (2 × 1.5)"
    )


def test_a_part_of_a_candle_of_cooldown_is_a_whole_one_and_a_rounding_error_is_none():
    short = replace(PRESET, cooldown=0.6)  # 1.2: two candles
    assert not ask(preset=short, last_exit=exit_(2)).allowed
    assert ask(preset=short, last_exit=exit_(3)).allowed
    assert 50 * 1.1 > 55
    exact = {"preset": replace(PRESET, cooldown=1.1), "settings": replace(SETTINGS, cooldown_candles=50)}
    assert ask(**exact, last_exit=exit_(56)).allowed


def test_no_cooldown_is_none():
    for none in (
        {"preset": replace(PRESET, cooldown=0.0)},
        {"settings": replace(SETTINGS, cooldown_candles=0)},
    ):
        assert ask(**none, last_exit=exit_(0)).allowed


@given(exit_minute=st.integers(0, 59), entry_minute=st.integers(0, 59), hours=st.integers(0, 8))
def test_a_live_exit_within_a_candle_rests_as_long_as_a_backtests_at_its_start(
    exit_minute, entry_minute, hours
):
    coarse = ask(last_exit=exit_(hours))
    live = ask(
        last_exit=LastExit(NOW - timedelta(hours=hours) + timedelta(minutes=exit_minute), "long"),
        now=NOW + timedelta(minutes=entry_minute),
    )
    assert live == coarse


def test_an_exchange_whose_clock_runs_ahead_does_not_end_a_cooldown():
    assert ask(last_exit=exit_(-0.001)).limit == "cooldown"
    assert ask(last_exit=exit_(-3)).limit == "cooldown"


def test_a_preset_may_refuse_to_turn_around():
    stubborn = {"preset": replace(PRESET, avoid_reversals=True, cooldown=0.0)}
    answer = ask(**stubborn, last_exit=exit_(24, "short"))
    assert answer.limit == "avoid_reversals"
    assert answer.reason == (
        "long after a short that was closed 24 candles ago; choppy avoids reversals for 24"
    )
    assert ask(**stubborn, last_exit=exit_(25, "short")).allowed
    assert ask(**stubborn, last_exit=exit_(24, "long")).allowed
    assert ask(**stubborn, last_exit=None).allowed
    assert ask(last_exit=exit_(24, "short")).allowed  # a preset that does not mind


def test_a_paused_regime_lets_nothing_in_even_with_the_limits_off():
    paused = replace(PRESET, pause=True)
    for components in (ComponentSettings(), OFF):
        answer = ask(preset=paused, components=components)
        assert (answer.allowed, answer.limit) == (False, "pause")
        assert answer.reason == "entries are paused in choppy"


def test_a_forced_entry_has_no_regime_and_the_same_limits():
    forced = EntryRequest(BTC, "long", 100.0)
    assert ask(forced).allowed
    assert "the preset allows 0" in ask(forced, preset=replace(PRESET, max_positions=0)).reason


# --- switches ----------------------------------------------------------------------------------------

CROWD = [held(900.0), held(900.0, pair=SOL)]


@pytest.mark.parametrize(
    ("circumstances", "limit"),
    [
        ({"holdings": CROWD}, "max_heat"),
        ({"holdings": [held(350.0)], "rho": 0.9}, "max_correlated_heat"),
        ({"holdings": CROWD, "preset": replace(PRESET, max_positions=1)}, "max_positions"),
        ({"last_exit": exit_(0)}, "cooldown"),
        (
            {"last_exit": exit_(9, "short"), "preset": replace(PRESET, avoid_reversals=True)},
            "avoid_reversals",
        ),
    ],
)
def test_with_the_limits_off_each_of_them_lets_the_entry_in(circumstances, limit):
    assert ask(**circumstances).limit == limit
    answer = ask(**circumstances, components=OFF)
    assert answer.allowed
    assert answer.reason == "portfolio limits are off"


def test_without_cross_pair_no_other_pair_is_looked_at():
    alone = replace(SETTINGS, cross_pair=False)
    one = replace(PRESET, max_positions=1)
    crowd = [*CROWD, held(50.0, pair=BTC)]
    assert ask(wanted(200.0), CROWD, rho={}, settings=alone, preset=one) == ask(
        wanted(200.0), settings=alone, preset=one
    )
    assert ask(wanted(200.0), crowd, rho={}, settings=alone).heat == pytest.approx(0.025)


def test_without_cross_pair_a_pairs_own_limits_stay():
    alone = replace(SETTINGS, cross_pair=False)
    own = {
        "cooldown": {"last_exit": exit_(0)},
        "avoid_reversals": {
            "last_exit": exit_(9, "short"),
            "preset": replace(PRESET, avoid_reversals=True),
        },
        "max_heat": {"request": wanted(601.0)},
        "pause": {"preset": replace(PRESET, pause=True)},
    }
    for limit, circumstances in own.items():
        assert ask(**circumstances, settings=alone).limit == limit


# --- nothing fails open ------------------------------------------------------------------------------

SENSELESS = [math.nan, math.inf, -math.inf, -1.0]


@pytest.mark.parametrize("bad", SENSELESS)
def test_senseless_money_is_an_error_that_names_it(bad):
    with pytest.raises(RiskError, match="entry in BTC/USDT: risk"):
        wanted(bad)
    with pytest.raises(RiskError, match="open trade in ETH/USDT: risk"):
        held(bad)
    with pytest.raises(RiskError, match="open trade in ETH/USDT: reserved"):
        held(reserved=bad)


@pytest.mark.parametrize("bad", [*SENSELESS, 0.0])
def test_senseless_equity_is_an_error(bad):
    with pytest.raises(RiskError, match="equity"):
        ask(equity=bad)


@pytest.mark.parametrize("bad", [1.5, -1.5, math.inf])
def test_a_correlation_beyond_one_is_an_error(bad):
    with pytest.raises(RiskError, match=r"ETH/USDT: .* outside"):
        ask(holdings=[held()], rho=bad)


def test_a_time_without_a_zone_is_an_error():
    with pytest.raises(RiskError, match="no time zone"):
        LastExit(datetime(2023, 5, 1), "long")
    with pytest.raises(RiskError, match=r"now: .* no time zone"):
        ask(last_exit=exit_(9), now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("bad", [0, -3_600])
def test_a_candle_without_length_is_an_error(bad):
    with pytest.raises(RiskError, match="timeframe_seconds"):
        ask(last_exit=exit_(9), timeframe_seconds=bad)


def test_an_overflow_refuses():
    biggest = 1.7e308
    answer = ask(wanted(biggest), [held(biggest, reserved=biggest), held(biggest, pair=SOL)], rho=0.0)
    assert not answer.allowed
    assert not ask(wanted(100.0), [held(1.0)], equity=5e-324).allowed


# --- laws --------------------------------------------------------------------------------------------

RISKS = st.floats(0, 500) | st.floats(0, 1e300)
SIDES = st.sampled_from(["long", "short"])
PAIRS = [BTC, ETH, SOL, "XRP/USDT"]
HOLDINGS = st.builds(held, RISKS, SIDES, st.sampled_from(PAIRS), RISKS)
RHOS = st.fixed_dictionaries({pair: st.floats(-1, 1) | st.just(math.nan) for pair in PAIRS})
PRESETS = st.builds(
    Preset,
    max_positions=st.integers(0, 5),
    cooldown=st.sampled_from([0.0, 0.6, 1.5]),
    avoid_reversals=st.booleans(),
    reduce_exposure=st.booleans(),
    pause=st.booleans(),
)
LIMITS = st.builds(
    PortfolioSettings,
    max_heat=st.floats(0.001, 1),
    max_correlated_heat=st.floats(0.001, 1),
    cross_pair=st.booleans(),
)
EXITS = st.none() | st.builds(exit_, st.integers(0, 30), SIDES)
CIRCUMSTANCES = st.fixed_dictionaries(
    {
        "rho": RHOS,
        "preset": PRESETS,
        "settings": LIMITS,
        "last_exit": EXITS,
        "components": st.sampled_from([ComponentSettings(), OFF]),
    }
)
OTHER_SIDE = {"long": "short", "short": "long"}


@given(RISKS, SIDES, st.lists(HOLDINGS, max_size=4), HOLDINGS, st.integers(0, 4), CIRCUMSTANCES)
def test_one_more_holding_never_lets_in_what_was_refused(risk, side, holdings, more, at, circumstances):
    request = wanted(risk, side)
    fewer = ask(request, holdings, **circumstances)
    answer = ask(request, [*holdings[:at], more, *holdings[at:]], **circumstances)
    assert fewer.allowed or not answer.allowed
    if not math.isnan(fewer.heat):
        assert answer.heat >= fewer.heat * (1 - 1e-12)


@given(RISKS, RISKS, SIDES, st.lists(HOLDINGS, max_size=4), CIRCUMSTANCES)
def test_a_larger_risk_never_gets_in_where_a_smaller_did_not(one, two, side, holdings, circumstances):
    smaller, larger = sorted([one, two])
    if ask(wanted(larger, side), holdings, **circumstances).allowed:
        assert ask(wanted(smaller, side), holdings, **circumstances).allowed


@given(RISKS, SIDES, st.lists(HOLDINGS, max_size=4), CIRCUMSTANCES)
def test_longs_and_shorts_are_treated_alike(risk, side, holdings, circumstances):
    last = circumstances["last_exit"]
    mirrored = circumstances | {"last_exit": last and LastExit(last.when, OTHER_SIDE[last.side])}
    answer = ask(wanted(risk, side), holdings, **circumstances)
    other = ask(
        wanted(risk, OTHER_SIDE[side]),
        [held(h.risk, OTHER_SIDE[h.side], h.pair, h.reserved) for h in holdings],
        **mirrored,
    )
    assert (answer.allowed, answer.limit) == (other.allowed, other.limit)
    assert repr((answer.heat, answer.correlated_heat)) == repr((other.heat, other.correlated_heat))


@given(risk=st.floats(0, 1e6), equity=st.floats(1, 1e9))
def test_alone_a_trades_heat_is_its_own(risk, equity):
    answer = ask(wanted(risk), equity=equity)
    assert answer.heat == answer.correlated_heat == risk / equity
    assert answer.allowed == (risk / equity <= 0.04 * (1 + 1e-9))


@given(RISKS, SIDES, st.lists(HOLDINGS, max_size=4), CIRCUMSTANCES)
def test_correlated_heat_is_part_of_the_heat_and_a_refusal_always_says_why(
    risk, side, holdings, circumstances
):
    answer = ask(wanted(risk, side), holdings, **circumstances)
    assert answer.reason
    assert answer.allowed == (answer.limit == "")
    if not math.isnan(answer.heat):
        assert risk / EQUITY <= answer.correlated_heat <= answer.heat * (1 + 1e-9)
    # the same question, the same answer
    assert repr(ask(wanted(risk, side), holdings, **circumstances)) == repr(answer)
