"""The life of a stop, as tables of candles. Entry 100, ATR 1, stop 98, fee 0.1 % unless a test says so."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptive_pkg.enums import StopStage
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk import advance, fill_price, initial_state, is_passed, plan_stop, replay
from adaptive_pkg.settings import ComponentSettings, Preset, StopSettings

I, B, T = StopStage.INITIAL, StopStage.BREAKEVEN, StopStage.TRAILING  # noqa: E741
EVEN = 100.0 * 1.001 / 0.999
EVEN_SHORT = 100.0 * 0.999 / 1.001
NAN = math.nan

# Each row of a table: close, ATR, expected stage, expected stop.
LONG_TABLES = {
    "below the trigger nothing moves": [(100.5, 1, I, 98.0), (101.49, 1, I, 98.0), (99.0, 1, I, 98.0)],
    "breakeven at +1.5 %, commission included, and it stays": [
        (101.5, 1, B, EVEN), (100.9, 1, B, EVEN), (102.4, 1, B, EVEN),
    ],
    "trailing from +2.5 %, by 1.5 ATR of the best close": [
        (101.5, 1, B, EVEN), (102.5, 1, T, 101.0), (104.0, 1, T, 102.5), (103.0, 1, T, 102.5),
        (105.0, 1, T, 103.5),
    ],
    "straight to trailing in one candle": [(110.0, 1, T, 108.5)],
    "a wide ATR cannot trail below breakeven": [
        (102.6, 3, T, EVEN), (102.7, 3, T, EVEN), (105.0, 3, T, 100.5),
    ],
    "a growing ATR never loosens the stop": [
        (104.0, 1, T, 102.5), (104.0, 4, T, 102.5), (104.5, 4, T, 102.5),
    ],
    "a shrinking ATR tightens it": [(104.0, 2, T, 101.0), (104.0, 1, T, 102.5)],
    "no ATR while trailing keeps the last stop": [
        (104.0, 1, T, 102.5), (106.0, NAN, T, 102.5), (107.0, 0, T, 102.5), (108.0, -1, T, 102.5),
        (108.0, math.inf, T, 102.5), (108.0, 1, T, 106.5),
    ],
    "no ATR when trailing begins: breakeven, never the extreme": [
        (110.0, NAN, T, EVEN), (110.0, 1, T, 108.5),
    ],
    "a stop never jumps above the market": [
        # best 110, ATR falls from 5 to 1 as the price falls to 103: 108.5 would lie above it
        (110.0, 5, T, 102.5), (103.0, 1, T, 102.9), (102.95, 1, T, 102.9), (109.0, 1, T, 108.5),
    ],
}  # fmt: skip
SHORT_TABLES = {
    "below the trigger nothing moves": [(99.5, 1, I, 102.0), (98.51, 1, I, 102.0), (101.0, 1, I, 102.0)],
    "breakeven at 1.5 %, commission included, and it stays": [
        (98.5, 1, B, EVEN_SHORT), (99.1, 1, B, EVEN_SHORT), (97.6, 1, B, EVEN_SHORT),
    ],
    "trailing from 2.5 %, by 1.5 ATR of the best close": [
        (98.5, 1, B, EVEN_SHORT), (97.5, 1, T, 99.0), (96.0, 1, T, 97.5), (97.0, 1, T, 97.5),
        (95.0, 1, T, 96.5),
    ],
    "a wide ATR cannot trail above breakeven": [(97.4, 3, T, EVEN_SHORT), (95.0, 3, T, 99.5)],
    "no ATR while trailing keeps the last stop": [
        (96.0, 1, T, 97.5), (94.0, NAN, T, 97.5), (94.0, 1, T, 95.5),
    ],
    "a stop never jumps below the market": [(90.0, 5, T, 97.5), (97.0, 1, T, 97.1), (91.0, 1, T, 91.5)],
}  # fmt: skip


def walk(plan, rows):
    """The states after each (close, ATR)."""
    state, states = initial_state(plan), []
    for close, atr in rows:
        state = advance(plan, state, close, atr)
        states.append(state)
    return states


@pytest.mark.parametrize(
    ("side", "rows"),
    [pytest.param("long", rows, id=f"long: {name}") for name, rows in LONG_TABLES.items()]
    + [pytest.param("short", rows, id=f"short: {name}") for name, rows in SHORT_TABLES.items()],
)
def test_table(make_plan, side, rows):
    states = walk(make_plan(side), [row[:2] for row in rows])
    assert [(state.stage, pytest.approx(state.stop)) for state in states] == [
        (row[2], row[3]) for row in rows
    ]


def test_a_trade_starts_with_its_initial_stop(make_plan):
    state = initial_state(make_plan())
    assert (state.stage, state.stop, state.best) == (I, pytest.approx(98.0), 100.0)


def test_a_breakeven_the_market_has_not_reached_waits_short_of_the_close(make_plan):
    """With a fee of 1 % a side breakeven is 102.02, above the close of 101.6 that triggers it."""
    states = walk(make_plan(fee=0.01), [(101.6, 1.0), (102.4, 1.0)])
    assert [state.stop for state in states] == [pytest.approx(101.5), pytest.approx(100 * 1.01 / 0.99)]


def test_breakeven_switched_off(make_plan):
    plan = make_plan(components=ComponentSettings(breakeven=False))
    states = walk(plan, [(102.0, 1.0), (102.6, 4.0), (104.0, 1.0)])
    # the trail is then not held at breakeven either: 102.6 − 6 is worse than the initial stop
    assert [(s.stage, s.stop) for s in states] == [(I, 98.0), (T, 98.0), (T, 102.5)]


def test_trailing_switched_off_by_component_or_preset(make_plan):
    for plan in (
        make_plan(components=ComponentSettings(trailing=False)),
        make_plan(preset=Preset(stop_atr=2.0, target_atr=3.0, trailing=False)),
    ):
        assert [(s.stage, s.stop) for s in walk(plan, [(110.0, 1.0)])] == [(B, pytest.approx(EVEN))]


def test_dynamic_stops_switched_off(make_plan):
    plan = make_plan(components=ComponentSettings(dynamic_stops=False))
    assert [(s.stage, s.stop) for s in walk(plan, [(110.0, 1.0)])] == [(I, 98.0)]


def test_an_unchanged_state_is_the_same_object(make_plan):
    plan = make_plan()
    first = initial_state(plan)
    assert advance(plan, first, 99.5, 1.0) is first
    trailing = advance(plan, first, 104.0, 1.0)
    assert advance(plan, trailing, 103.5, 1.2) is trailing


@pytest.mark.parametrize("close", [NAN, math.inf, 0.0, -5.0])
def test_a_candle_without_a_price_is_an_error(make_plan, close):
    plan = make_plan()
    with pytest.raises(RiskError, match="close"):
        advance(plan, initial_state(plan), close, 1.0)
    with pytest.raises(RiskError, match="candle 1"):
        replay(plan, [101.0, close], [1.0, 1.0])


@pytest.mark.parametrize(
    ("side", "open_", "high", "low", "fill"),
    [
        ("long", 99.0, 99.5, 98.1, None),
        ("long", 99.0, 99.5, 97.0, 98.0),  # touched within the candle
        ("long", 96.0, 97.0, 95.0, 96.0),  # gap: the whole candle is beyond
        ("long", 96.0, 99.0, 95.0, 96.0),  # gap that recovers: still filled at the open
        ("long", 98.0, 99.0, 98.0, 98.0),
        ("short", 101.0, 101.9, 100.0, None),
        ("short", 101.0, 103.0, 100.0, 102.0),
        ("short", 104.0, 105.0, 103.0, 104.0),
        ("short", 104.0, 105.0, 101.0, 104.0),
    ],
)
def test_where_a_resting_stop_fills(make_plan, side, open_, high, low, fill):
    plan = make_plan(side)
    assert fill_price(plan, initial_state(plan), open_, high, low) == (
        None if fill is None else pytest.approx(fill)
    )


def test_a_stop_already_passed_is_reported_and_never_moved_back(make_plan):
    plan = make_plan()
    state = initial_state(plan)
    assert is_passed(plan, state, 97.9)
    assert not is_passed(plan, state, 98.1)
    assert not is_passed(plan, state, NAN)
    assert advance(plan, state, 97.0, 1.0).stop == state.stop
    short = make_plan("short")
    assert is_passed(short, initial_state(short), 102.1)
    assert not is_passed(short, initial_state(short), 101.9)


# ---- laws ------------------------------------------------------------------------------------------------

closes = st.lists(st.floats(80.0, 125.0), min_size=1, max_size=60)
atr_values = st.one_of(st.floats(0.05, 6.0), st.sampled_from([NAN, 0.0, -1.0]))
paths = closes.flatmap(
    lambda prices: st.tuples(
        st.just(prices), st.lists(atr_values, min_size=len(prices), max_size=len(prices))
    )
)
plans = st.builds(
    lambda side, fee, gap, breakeven, trailing: plan_stop(
        side, 100.0, 1.0, 1.0, 1.0, Preset(stop_atr=2.0, trailing=trailing), StopSettings(market_gap=gap),
        ComponentSettings(breakeven=breakeven), fee,
    ),
    st.sampled_from(["long", "short"]), st.floats(0.0, 0.01), st.floats(0.0, 0.01), st.booleans(),
    st.booleans(),
)  # fmt: skip
ORDER = {stage: rank for rank, stage in enumerate(StopStage)}


@settings(max_examples=300)
@given(plan=plans, path=paths)
def test_no_path_ever_loosens_a_stop_or_turns_a_stage_back(plan, path):
    sign = 1 if plan.side == "long" else -1
    state = initial_state(plan)
    for close, atr in zip(*path, strict=True):
        after = advance(plan, state, close, atr)
        assert sign * after.stop >= sign * state.stop
        assert ORDER[after.stage] >= ORDER[state.stage]
        if after.stop != state.stop:
            assert sign * after.stop <= sign * close - plan.market_gap
        state = after


@settings(max_examples=300)
@given(plan=plans, path=paths)
def test_replay_equals_repeated_advance_to_the_bit(plan, path):
    states = walk(plan, zip(*path, strict=True))
    for length in (1, len(states) // 2, len(states)):
        expected = states[length - 1] if length else initial_state(plan)
        assert replay(plan, path[0][:length], path[1][:length]) == expected


def test_a_restart_in_the_middle_changes_nothing(make_plan):
    rng = np.random.default_rng(5)
    plan = make_plan()
    prices = 100 * np.exp(np.cumsum(rng.normal(0.001, 0.006, 400)))
    atrs = rng.uniform(0.5, 2.0, 400)
    through = walk(plan, zip(prices.tolist(), atrs.tolist(), strict=True))
    state = replay(plan, prices[:150], atrs[:150])
    for close, atr in zip(prices[150:].tolist(), atrs[150:].tolist(), strict=True):
        state = advance(plan, state, close, atr)
    assert state == through[-1]
    assert state.stage is T


def test_replay_of_nothing_is_the_start_and_unequal_rows_are_an_error(make_plan):
    plan = make_plan()
    assert replay(plan, [], []) == initial_state(plan)
    with pytest.raises(RiskError, match="one length"):
        replay(plan, [101.0, 102.0], [1.0])


@settings(max_examples=200)
@given(path=paths, gap=st.floats(0.0, 0.01))
def test_a_short_on_mirrored_prices_has_the_mirrored_stop(path, gap):
    """Exact but for the fee, so the fee is 0 here; mirrored at the entry: 2 × 100 − price."""
    preset, stops, parts = Preset(stop_atr=2.0), StopSettings(market_gap=gap), ComponentSettings()
    long, short = (
        plan_stop(side, 100.0, 1.0, 1.0, 1.0, preset, stops, parts, 0.0) for side in ("long", "short")
    )
    up, down = initial_state(long), initial_state(short)
    for close, atr in zip(*path, strict=True):
        if abs(abs(close - 100.0) - 1.5) < 1e-6 or abs(abs(close - 100.0) - 2.5) < 1e-6:
            continue  # rounding may put a mirrored close on the other side of a trigger
        up, down = advance(long, up, close, atr), advance(short, down, 200.0 - close, atr)
        assert down.stage is up.stage
        assert down.stop == pytest.approx(200.0 - up.stop, abs=1e-9)


@pytest.mark.real_data
@pytest.mark.parametrize("side", ["long", "short"])
def test_laws_hold_on_real_candles(real_candles, side):
    frame = real_candles("BTC/USDT").iloc[20_000:24_000]
    sign = 1 if side == "long" else -1
    close = frame["close"].to_numpy()
    atr = (frame["high"] - frame["low"]).rolling(14).mean().to_numpy()
    reached = set()
    for start in range(50, 3_900, 77):
        entry = float(close[start])
        plan = plan_stop(
            side, entry, float(atr[start]), 100 * atr[start] / entry, 1.0, Preset(), StopSettings(),
            ComponentSettings(), 0.001,
        )  # fmt: skip
        rows = list(
            zip(close[start + 1 : start + 73].tolist(), atr[start + 1 : start + 73].tolist(), strict=True)
        )
        states = [initial_state(plan), *walk(plan, rows)]
        stops = np.array([state.stop for state in states])
        assert (np.diff(sign * stops) >= 0).all()
        assert replay(plan, *zip(*rows, strict=True)) == states[-1]
        reached |= {state.stage for state in states}
    assert reached == set(StopStage)
