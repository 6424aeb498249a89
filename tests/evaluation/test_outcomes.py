"""What becomes of an entry: scenarios in candles, and the walk beside a plain reading of the rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError, RiskError
from adaptive_pkg.evaluation.entries import Entries, Path, candidate_entries, plan_entries
from adaptive_pkg.evaluation.outcomes import Exit, one_at_a_time, walk_entries
from adaptive_pkg.risk.stops import advance, initial_state
from adaptive_pkg.settings import load_settings

SETTINGS = load_settings(
    {"adaptive": {"approach": "by_regime", "profile": "moderate", "sizing": {"fee": 0.001}}}
)
# trending preset: stop 2.5 ATR, target 4 ATR; with ATR 1 at 100: stop 97.5, target 104


def make_path(rows, exits=(), atr=1.0, side=1):
    """Candles (open, high, low, close); `exits`: candles that close with an exit signal of that side."""
    table = np.array(rows, dtype=float)
    flags = np.zeros(len(table), dtype=bool)
    flags[list(exits)] = True
    none = np.zeros_like(flags)
    return Path(
        date=np.datetime64("2022-01-01", "ns") + np.arange(len(table)) * np.timedelta64(1, "h"),
        open=table[:, 0], high=table[:, 1], low=table[:, 2], close=table[:, 3],
        atr=np.full(len(table), atr),
        exit_long=flags if side > 0 else none, exit_short=none if side > 0 else flags,
    )  # fmt: skip


def make_entries(rows, side=1):
    count = len(rows)
    return Entries(
        row=np.array(rows), side=np.full(count, side, dtype=np.int8),
        regime=np.full(count, Regime.STRONG_TREND.code), score=np.full(count, 0.7),
        taken=np.ones(count, dtype=bool), atr_pct=np.full(count, 1.0), atr_ratio=np.full(count, 1.0),
    )  # fmt: skip


def mirrored(rows):
    return [(200 - o, 200 - lo, 200 - hi, 200 - c) for o, hi, lo, c in rows]


def outcome(rows, exits=(), side=1, settings=SETTINGS):
    """The outcome of one entry signalled by candle 0; `rows` are a long's candles, mirrored for a short."""
    path = make_path(mirrored(rows) if side < 0 else rows, exits, side=side)
    entries = make_entries([0], side)
    return walk_entries(path, entries, plan_entries(path, entries, settings))


MOVES = "breakeven from a close, not from a high"
FLAT = (100, 100.2, 99.8, 100)
SCENARIOS = {
    "initial stop": ([FLAT, FLAT, (100, 100, 97, 97.2)], (), Exit.STOP, 2, 97.5),
    "stop within the candle of the entry": ([FLAT, (100, 100, 97, 99)], (), Exit.STOP, 1, 97.5),
    "gap through the stop fills at the open": ([FLAT, FLAT, (96, 97, 95, 96)], (), Exit.STOP, 2, 96.0),
    "target": ([FLAT, FLAT, (100, 104.5, 99.9, 104.2)], (), Exit.TARGET, 2, 104.0),
    "stop before target in one candle": ([FLAT, FLAT, (100, 105, 97, 104)], (), Exit.STOP, 2, 97.5),
    "a gap above the target is not bettered": ([FLAT, FLAT, (106, 107, 105, 106)], (), Exit.TARGET, 2, 104),
    "signal leaves at the next open": ([FLAT, FLAT, FLAT, (101, 102, 99, 100)], (2,), Exit.SIGNAL, 3, 101.0),
    "open after a signal comes before its candle's stop": (
        [FLAT, FLAT, FLAT, (99, 99, 90, 91)], (2,), Exit.SIGNAL, 3, 99.0,
    ),
    "a signal's candle can still stop": ([FLAT, FLAT, (100, 100, 97, 99), FLAT], (2,), Exit.STOP, 2, 97.5),
    "a signal before the entry is nothing": ([FLAT, FLAT, (100, 105, 99.9, 104)], (0,), Exit.TARGET, 2, 104),
    MOVES: (
        # the high 101.9 moves nothing; the close 101.6 does: then 100.2002 fills
        [FLAT, (100, 101.9, 99.9, 100), (100, 101.7, 99.0, 101.6), (101.6, 101.6, 99, 99)],
        (), Exit.STOP, 3, 100 * 1.001 / 0.999,
    ),
    "trail": ([FLAT, (100, 103.1, 99.9, 103), (103, 103, 101, 101)], (), Exit.STOP, 2, 101.5),
    "candles end first": ([FLAT, FLAT, (100, 101, 99, 100.5)], (), Exit.UNFINISHED, 2, 100.5),
    "signal of the last candle cannot be acted on": ([FLAT, FLAT, FLAT], (2,), Exit.UNFINISHED, 2, 100.0),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_long_ends_where_the_candles_say(name):
    rows, exits, reason, at, price = SCENARIOS[name]
    found = outcome(rows, exits)
    assert list(Exit)[found.reason[0]] is reason
    assert found.exit_at[0] == at
    assert found.exit_price[0] == pytest.approx(price)
    expected = (price * 0.999 - 100 * 1.001) / 100
    assert found.profit[0] == pytest.approx(expected)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != MOVES])
def test_a_short_on_mirrored_candles_ends_the_same_way(name):
    rows, exits, reason, at, price = SCENARIOS[name]
    found = outcome(rows, exits, side=-1)
    assert list(Exit)[found.reason[0]] is reason
    assert found.exit_at[0] == at
    assert found.exit_price[0] == pytest.approx(200 - price)
    assert found.profit[0] == pytest.approx((100 * 0.999 - (200 - price) * 1.001) / 100)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in ("trail", MOVES)])
@pytest.mark.parametrize("side", [1, -1])
def test_a_stop_that_never_moves_ends_the_same_way(name, side):
    rows, exits, reason, at, price = SCENARIOS[name]
    components = replace(SETTINGS.components, breakeven=False, trailing=False)
    found = outcome(rows, exits, side, replace(SETTINGS, components=components))
    assert list(Exit)[found.reason[0]] is reason
    assert found.exit_at[0] == at
    assert found.exit_price[0] == pytest.approx(price if side > 0 else 200 - price)


def test_the_initial_stop_costs_exactly_one_r():
    assert outcome(SCENARIOS["initial stop"][0]).r[0] == pytest.approx(-1.0)
    assert outcome(SCENARIOS["gap through the stop fills at the open"][0]).r[0] < -1.2


def test_excursions_are_those_surely_before_the_exit():
    stopped = outcome([FLAT, (100, 101, 99, 100), (100, 103, 97, 98)])
    assert stopped.mae[0] == pytest.approx(0.025)  # no worse than the fill
    assert stopped.mfe[0] == pytest.approx(0.01)  # the high of the stop's candle may have come after it
    won = outcome([FLAT, (100, 101, 99, 100), (100, 106, 98, 105)])
    assert won.mfe[0] == pytest.approx(0.04)
    assert won.mae[0] == pytest.approx(0.02)  # the low of the target's candle counts


def test_a_still_stop_walked_at_once_equals_one_walked_candle_by_candle(random_candles):
    path, entries, still = random_case(random_candles, {"breakeven": False, "trailing": False})
    fast = walk_entries(path, entries, plan_entries(path, entries, still))
    # switched on but out of reach, so the slow walk runs and the stop still never moves
    plans = [
        replace(plan, breakeven=True, breakeven_trigger=9.0, trail_trigger=9.0)
        for plan in plan_entries(path, entries, still)
    ]
    slow = walk_entries(path, entries, plans)
    for name in ("exit_at", "exit_price", "reason", "profit", "mae", "mfe"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name), err_msg=name)


def test_every_outcome_equals_a_plain_reading_of_the_rules(random_candles):
    path, entries, settings = random_case(random_candles, {})
    plans = plan_entries(path, entries, settings)
    found = walk_entries(path, entries, plans)
    assert len({*found.reason.tolist()}) >= 3
    for i in range(0, len(entries), 3):
        state, start = initial_state(plans[i]), int(entries.row[i]) + 1
        for at in range(start, len(path)):
            if at > start and path.exit_long[at - 1]:
                expected = (at, path.open[at])
                break
            if path.low[at] <= state.stop:
                expected = (at, min(path.open[at], state.stop))
                break
            if path.high[at] >= plans[i].target_price:
                expected = (at, plans[i].target_price)
                break
            state = advance(plans[i], state, float(path.close[at]), float(path.atr[at]))
        else:
            expected = (len(path) - 1, path.close[-1])
        assert (found.exit_at[i], found.exit_price[i]) == expected


def random_case(random_candles, components):
    settings = load_settings({"adaptive": {"approach": "by_regime", "components": components}})
    path, entries = candidate_entries(random_candles(6000, seed=4), settings)
    assert len(entries) > 60
    return path, entries, settings


def test_later_candles_do_not_change_finished_outcomes(random_candles):
    candles = random_candles(5000, seed=2)
    long, entries = candidate_entries(candles, SETTINGS)
    whole = walk_entries(long, entries, plan_entries(long, entries, SETTINGS))
    path, early = candidate_entries(candles.iloc[:4000].reset_index(drop=True), SETTINGS)
    part = walk_entries(path, early, plan_entries(path, early, SETTINGS))
    done = part.finished
    assert done.sum() > 30
    np.testing.assert_array_equal(early.row, entries.row[: len(early)])
    np.testing.assert_array_equal(part.r[done], whole.r[: len(early)][done])


def test_candidates_are_the_taken_and_those_refused_for_confidence(random_candles):
    candles = random_candles(6000, seed=5)
    path, entries = candidate_entries(candles, SETTINGS)
    assert 0 < entries.taken.sum() < len(entries)
    assert entries.score[entries.taken].min() >= SETTINGS.confidence.minimal_tier
    assert not path.exit_long[entries.row].any()
    assert (entries.side == 1).all()
    _, both = candidate_entries(candles, SETTINGS, can_short=True)
    assert set(both.side) == {-1, 1}


def test_an_open_far_from_the_signals_close_is_no_entry(random_candles):
    candles = random_candles(6000, seed=5)
    _, before = candidate_entries(candles, SETTINGS)
    row = int(before.row[10])
    candles.loc[row + 1, ["open", "high"]] = candles.loc[row, "close"] * 1.2
    _, after = candidate_entries(candles, SETTINGS)
    assert row not in after.row
    assert before.row[9] in after.row


def test_thin_volume_is_no_candidate_at_all(random_candles):
    candles = random_candles(6000, seed=5)
    _, before = candidate_entries(candles, SETTINGS)
    row = int(before.row[10])
    candles.loc[row, "volume"] *= 0.01
    assert row not in candidate_entries(candles, SETTINGS)[1].row


def test_one_pair_holds_one_trade_at_a_time():
    rows = [FLAT] * 4 + [(100, 104.5, 99.9, 104)] + [FLAT] * 10
    path, entries = make_path(rows), make_entries([0, 1, 4, 5, 6, 9])
    found = walk_entries(path, entries, plan_entries(path, entries, SETTINGS))
    # entered at 1, out at 4; ready again at 6; that one never ends
    assert one_at_a_time(found, cooldown=2).tolist() == [True, False, False, True, False, False]


def test_mistakes_are_named(random_candles):
    path, entries = make_path([FLAT] * 3), make_entries([0, 1])
    with pytest.raises(RiskError, match="1 plans for 2 entries"):
        walk_entries(path, entries, plan_entries(path, make_entries([0]), SETTINGS))
    with pytest.raises(RiskError, match=r"candle of 2022-01-01T00.*atr"):
        plan_entries(replace(path, atr=np.zeros(3)), entries, SETTINGS)
    with pytest.raises(DataError, match="100 candles; the indicators need more"):
        candidate_entries(random_candles(100), SETTINGS)


@pytest.mark.real_data
def test_real_candles_lose_one_r_at_the_initial_stop_and_more_only_through_gaps(real_candles):
    path, entries = candidate_entries(real_candles("BTC/USDT"), SETTINGS)
    plans = plan_entries(path, entries, SETTINGS)
    found = walk_entries(path, entries, plans)
    deep = found.r < -1.0 - 1e-9
    assert len(entries) > 1000
    assert (found.exit_price[deep] == path.open[found.exit_at[deep]]).all()
    assert (found.mae >= 0).all()
    assert (found.mfe >= 0).all()
