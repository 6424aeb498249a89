"""Entry and exit rules by style, vectorised. A rule only says "I would"; policy.decision decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Approach, Regime, Style
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.trend_state import TREND_STATE_COLUMNS
from adaptive_pkg.settings import Preset

BoolArray = np.ndarray


class Rule(StrEnum):
    """Name of an entry rule, second half of an entry tag."""

    BREAKOUT = "breakout"
    PULLBACK = "pullback"
    REVERSION = "reversion"
    TREND = "trend"


RULES_OF_STYLE: Mapping[Style, tuple[Rule, ...]] = {
    Style.HOLD_TREND: (Rule.TREND,),
    Style.TREND_FOLLOWING: (Rule.BREAKOUT, Rule.PULLBACK),
    Style.CAUTIOUS_TREND: (Rule.BREAKOUT, Rule.PULLBACK),
    Style.MEAN_REVERSION: (Rule.REVERSION,),
    Style.STAND_ASIDE: (),
}

SIGNAL_COLUMNS = (
    "open", "high", "low", "close", "volume", "ema_fast", "ema_slow", "plus_di", "minus_di",
    "donchian_high", "donchian_low", "bb_upper", "bb_middle", "bb_lower", "rsi",
)  # fmt: skip
MAJORITY = 0.5  # of the channels: a trend, and its end
TREND_TURNED = "trend_turned"  # an exit's reason


@dataclass(frozen=True)
class Candidates:
    """What the rules ask for at each candle's close.

    side: int8 (n,), 1 long, -1 short, 0 nothing. rule: int8 (n,), index into `list(Rule)`, -1 without one.
    """

    side: np.ndarray
    rule: np.ndarray


def entry_candidates(
    frame: pd.DataFrame, regime_codes: np.ndarray, presets: Mapping[Regime, Preset], *, can_short: bool
) -> Candidates:
    """Apply to each candle the rules that its regime's preset trades by.

    Args:
        frame: candles with the indicator columns SIGNAL_COLUMNS; for Style.HOLD_TREND also the trend's.
        regime_codes: int (n,), Regime.code of each candle; −1 where nothing may be traded.
        presets: preset of every regime.
        can_short: False leaves every short candidate out (spot).

    Raises:
        DataError: a column is missing, or the lengths differ.
    """
    _require(frame, SIGNAL_COLUMNS)
    if any(_trades(preset, Rule.TREND) for preset in presets.values()):
        _require(frame, TREND_STATE_COLUMNS)
    if len(regime_codes) != len(frame):
        raise DataError(f"{len(regime_codes)} regimes for {len(frame)} candles; pass one regime per candle")
    side = np.zeros(len(frame), dtype=np.int8)
    rule_index = np.full(len(frame), -1, dtype=np.int8)
    tradable = frame["volume"].to_numpy() > 0  # a filler candle of an outage is no market to enter
    directions = (1, -1) if can_short else (1,)
    for index, rule in enumerate(Rule):
        regimes = [regime.code for regime, preset in presets.items() if _trades(preset, rule)]
        where = np.isin(regime_codes, regimes) & tradable
        if not where.any():
            continue
        for direction in directions:
            hit = where & (side == 0) & _RULES[rule](frame, direction)
            side[hit] = direction
            rule_index[hit] = index
    return Candidates(side, rule_index)


def exit_signals(frame: pd.DataFrame, approach: Approach = Approach.BY_REGIME) -> tuple[BoolArray, BoolArray]:
    """Say where an open long, and an open short, has lost its reason.

    BY_REGIME: the fast EMA crosses the slow one. HOLD_TREND: the majority of the channels is up (down) no
    more. Returns two bool arrays (n,): exit long, exit short.

    Raises:
        DataError: a column is missing.
    """
    if approach is Approach.HOLD_TREND:
        _require(frame, TREND_STATE_COLUMNS)
        return ~_trend(frame, 1), ~_trend(frame, -1)
    _require(frame, ("ema_fast", "ema_slow"))
    above = frame["ema_fast"].to_numpy() > frame["ema_slow"].to_numpy()
    below = frame["ema_fast"].to_numpy() < frame["ema_slow"].to_numpy()
    exit_long = below & _previous(above)
    exit_short = above & _previous(below)
    return exit_long, exit_short


def exit_columns(frame: pd.DataFrame, approach: Approach) -> dict[str, object]:
    """The exit columns freqtrade reads, each (n,) or one value: for every trade of the pair alike.

    Empty for HOLD_TREND: there a trade leaves by the rule it was entered by (`StopDesk.trend_ended`), and one
    that was forced, or opened under the other approach, keeps to its stop and target.
    """
    if approach is Approach.HOLD_TREND:
        return {"exit_long": 0, "exit_short": 0}
    exit_long, exit_short = exit_signals(frame)
    tag = np.where(exit_long | exit_short, TREND_TURNED, None)
    return {"exit_long": exit_long.astype(np.int8), "exit_short": exit_short.astype(np.int8), "exit_tag": tag}


def _trades(preset: Preset, rule: Rule) -> bool:
    if rule is Rule.BREAKOUT and not preset.use_breakouts:
        return False
    return rule in RULES_OF_STYLE[preset.style]


def _breakout(frame: pd.DataFrame, direction: int) -> BoolArray:
    """First close beyond the Donchian channel of the candles before it, with the EMAs in order."""
    channel = frame["donchian_high" if direction > 0 else "donchian_low"].to_numpy()
    beyond = direction * (frame["close"].to_numpy() - channel) > 0
    return beyond & ~_previous(beyond) & _trend_up(frame, direction)


def _pullback(frame: pd.DataFrame, direction: int) -> BoolArray:
    """In an ordered trend, a candle that dips to the fast EMA and closes back on the trend's side."""
    close, fast = frame["close"].to_numpy(), frame["ema_fast"].to_numpy()
    reach = frame["low" if direction > 0 else "high"].to_numpy()
    touched = direction * (reach - fast) <= 0
    resumed = (direction * (close - fast) > 0) & (direction * (close - frame["open"].to_numpy()) > 0)
    return touched & resumed & _trend_up(frame, direction)


def _reversion(frame: pd.DataFrame, direction: int) -> BoolArray:
    """A close back inside the Bollinger bands after a close outside, RSI not yet past the middle."""
    close = frame["close"].to_numpy()
    band = frame["bb_lower" if direction > 0 else "bb_upper"].to_numpy()
    outside = direction * (close - band) < 0
    room = direction * (50.0 - frame["rsi"].to_numpy()) > 0
    return ~outside & _previous(outside) & room


def _trend(frame: pd.DataFrame, direction: int) -> BoolArray:
    """Most of the long channels are in a trend."""
    return frame["trend_up" if direction > 0 else "trend_down"].to_numpy() >= MAJORITY


def _trend_up(frame: pd.DataFrame, direction: int) -> BoolArray:
    ordered = direction * (frame["ema_fast"].to_numpy() - frame["ema_slow"].to_numpy()) > 0
    directed = direction * (frame["plus_di"].to_numpy() - frame["minus_di"].to_numpy()) > 0
    return ordered & directed


_RULES: Mapping[Rule, Callable[[pd.DataFrame, int], BoolArray]] = {
    Rule.BREAKOUT: _breakout,
    Rule.PULLBACK: _pullback,
    Rule.REVERSION: _reversion,
    Rule.TREND: _trend,
}


def _previous(flags: BoolArray) -> BoolArray:
    """The array one candle earlier; False where there is none."""
    shifted = np.zeros_like(flags)
    shifted[1:] = flags[:-1]
    return shifted


def _require(frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(f"columns {missing} are missing; run market.indicators.compute_indicators first")
