"""From a fraction of equity to a stake, with every cap and the reason for the one that bound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from adaptive_pkg.enums import SizingMode
from adaptive_pkg.errors import RiskError
from adaptive_pkg.settings import SizingSettings


@dataclass(frozen=True, slots=True)
class SizeDecision:
    """How much to stake, and what decided it. A stake of 0 means: do not enter."""

    stake: float  # margin, in stake currency
    notional: float  # value of the position: stake × leverage
    risk_fraction: float  # of equity, lost if the stop fills as planned, fees included
    capped_by: str  # name of the limit that decided the stake; "" when none did
    breakdown: Mapping[str, float]  # the factors, in the order they were applied

    @property
    def reason(self) -> str:
        """One line for the log."""
        parts = ", ".join(f"{name} {value:.4g}" for name, value in self.breakdown.items())
        limit = f"; limited by {self.capped_by}" if self.capped_by else ""
        return f"stake {self.stake:.8g}, {self.risk_fraction:.2%} of equity at risk ({parts}{limit})"


def size_position(
    *,
    equity: float,
    loss_fraction: float,
    fraction: float,
    cap: float,
    settings: SizingSettings,
    size_multiplier: float = 1.0,
    confidence_multiplier: float = 1.0,
    drawdown_multiplier: float = 1.0,
    leverage: float = 1.0,
    min_stake: float | None = None,
    max_stake: float = math.inf,
) -> SizeDecision:
    """Stake for one entry.

    RISK: position value = fraction × multipliers × equity ÷ loss_fraction, so the stop costs that fraction.
    NOTIONAL: position value = fraction × multipliers × equity. In both, fraction × multipliers is held at
    `cap`; then max_loss_fraction, max_position_fraction and max_stake only ever lower the stake. Below
    `min_stake` the answer is 0: a stake is never raised to it, for that would risk more than was decided.

    Args:
        equity: of the account, in stake currency.
        loss_fraction: `StopPlan.loss_fraction`, the part of the position lost at its stop, fees included.
        fraction: `KellyEstimate.fraction`. cap: `KellySettings.cap`.
        size_multiplier: the preset's. confidence_multiplier: the tier's. drawdown_multiplier: see kelly.
        leverage: of the position, at least 1. min_stake: None: no such limit. max_stake: may be infinite.

    Raises:
        RiskError: a number is NaN, infinite, or has the wrong sign. Refuse the entry.
    """
    for name, value in (("equity", equity), ("loss_fraction", loss_fraction), ("leverage", leverage)):
        if not 0.0 < value < math.inf:
            raise RiskError(f"{name}: {value!r} is not a finite number above 0; refuse the entry")
    for name, value in (
        ("fraction", fraction),
        ("cap", cap),
        ("size_multiplier", size_multiplier),
        ("confidence_multiplier", confidence_multiplier),
        ("drawdown_multiplier", drawdown_multiplier),
        ("min_stake", 0.0 if min_stake is None else min_stake),
    ):
        if not 0.0 <= value < math.inf:
            raise RiskError(f"{name}: {value!r} is not a finite number of at least 0; refuse the entry")
    if not max_stake >= 0.0:
        raise RiskError(f"max_stake: {max_stake!r} is not a number of at least 0; refuse the entry")
    if leverage < 1.0:
        raise RiskError(f"leverage: {leverage!r} is below 1; refuse the entry")

    breakdown = {
        "fraction": fraction,
        "size_multiplier": size_multiplier,
        "confidence_multiplier": confidence_multiplier,
        "drawdown_multiplier": drawdown_multiplier,
        "loss_fraction": loss_fraction,
        "leverage": leverage,
    }
    wanted = fraction * size_multiplier * confidence_multiplier * drawdown_multiplier
    capped_by = ""
    if wanted > cap:
        wanted, capped_by = cap, f"cap {cap:.4g}"
    divisor = loss_fraction if settings.mode is SizingMode.RISK else 1.0
    stake = wanted * equity / (divisor * leverage)
    for limit, name in (
        (
            settings.max_loss_fraction * equity / (loss_fraction * leverage),
            f"max_loss_fraction {settings.max_loss_fraction:.4g}",
        ),
        (
            settings.max_position_fraction * equity,
            f"max_position_fraction {settings.max_position_fraction:.4g}",
        ),
        (max_stake, f"max_stake {max_stake:.8g}"),
    ):
        if stake > limit:
            stake, capped_by = limit, name
    if stake <= 0.0:
        return SizeDecision(0.0, 0.0, 0.0, capped_by or "a factor of 0", breakdown)
    if min_stake is not None and stake < min_stake:
        return SizeDecision(
            0.0, 0.0, 0.0, f"min_stake {min_stake:.8g} above the stake {stake:.8g}", breakdown
        )
    notional = stake * leverage
    return SizeDecision(stake, notional, notional * loss_fraction / equity, capped_by, breakdown)
