"""What becomes of an open trade when its pair's regime is no longer the one it was entered in.

The trade was planned for the regime of its entry, so in all three rules that plan stays in force: stop,
target and size are never changed to the new regime's. What every rule stops is the ladder: no rung is bought
in a market that it was not planned for. `tighten` also moves the stop to the new preset's distance where
that is nearer, `exit` closes the trade. A regime that returns allows the ladder again.
"""

from __future__ import annotations

from dataclasses import dataclass

from adaptive_pkg.enums import Regime, RegimeChange
from adaptive_pkg.risk.stop_plan import LONG, StopPlan
from adaptive_pkg.settings import Preset

EXIT_REASON = "regime_changed"


@dataclass(frozen=True, slots=True)
class RegimeReaction:
    """What to do. `tightened_stop`: price that the stop must be at least as near as; None: leave it."""

    may_add: bool
    leave: bool = False
    tightened_stop: float | None = None


_UNCHANGED, _NO_MORE, _LEAVE = RegimeReaction(True), RegimeReaction(False), RegimeReaction(False, leave=True)


def react(
    rule: RegimeChange,
    plan: StopPlan,
    entered: Regime | None,
    now: Regime,
    presets: tuple[Preset, Preset],
) -> RegimeReaction:
    """React to the last closed candle's regime.

    Args:
        entered: regime of the entry; None for a forced entry, which no regime change concerns.
        presets: of `entered` and of `now`.
    """
    if entered is None or entered is now:
        return _UNCHANGED
    if rule is RegimeChange.EXIT:
        return _LEAVE
    if rule is RegimeChange.KEEP:
        return _NO_MORE
    nearer = presets[1].stop_atr / presets[0].stop_atr
    if nearer >= 1.0:
        return _NO_MORE
    sign = 1.0 if plan.side == LONG else -1.0
    distance = plan.stop_fraction * plan.entry_price * nearer
    return RegimeReaction(False, tightened_stop=plan.entry_price - sign * distance)
