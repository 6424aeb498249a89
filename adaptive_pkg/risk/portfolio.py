"""May one more trade be opened beside those that are open? Limits on the account as a whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import RiskError
from adaptive_pkg.risk.stop_plan import LONG, SHORT
from adaptive_pkg.settings import ComponentSettings, PortfolioSettings, Preset

_REDUCED = 0.5  # what reduce_exposure leaves of both heat limits
_SLACK = 1.0 + 1e-9  # a stake sized exactly to a limit is within it, whatever the rounding


@dataclass(frozen=True, slots=True)
class Holding:
    """An open trade, as the portfolio sees it. Money in stake currency.

    Raises:
        RiskError: an unknown side, or an amount that is NaN, infinite or negative.
    """

    pair: str
    side: str  # "long" or "short"
    risk: float  # still lost if its present stop fills, fees included; see `open_risk`
    reserved: float = 0.0  # further loss at the stop from ladder rungs that are not bought yet

    def __post_init__(self) -> None:
        _check_side(self.side, f"open trade in {self.pair}")
        _check_money("risk", self.risk, f"open trade in {self.pair}")
        _check_money("reserved", self.reserved, f"open trade in {self.pair}")

    @property
    def at_risk(self) -> float:
        return self.risk + self.reserved


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """A trade that wants to be opened.

    Raises:
        RiskError: an unknown side, or a risk that is NaN, infinite or negative.
    """

    pair: str
    side: str  # "long" or "short"
    risk: float  # lost at its stop with the whole ladder bought, fees included, in stake currency
    regime: Regime | None = None  # for the reason only; None: a forced entry

    def __post_init__(self) -> None:
        _check_side(self.side, f"entry in {self.pair}")
        _check_money("risk", self.risk, f"entry in {self.pair}")


@dataclass(frozen=True, slots=True)
class LastExit:
    """When a pair's last trade was closed, and which side it was on. Raises RiskError for a naive time."""

    when: datetime
    side: str

    def __post_init__(self) -> None:
        _check_side(self.side, "last exit")
        _check_aware("last exit", self.when)


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an entry is let in, and why. Heats are parts of equity, the entry included."""

    allowed: bool
    reason: str
    heat: float  # NaN where it was not measured: while paused, or with the limits off
    correlated_heat: float  # NaN likewise
    limit: str = ""  # name of the limit that refused; "" when none did


def open_risk(side: str, amount: float, entry_price: float, stop: float, fee: float) -> float:
    """Money that a position still loses if its stop fills at its price, fees of both sides included.

    amount × (distance from entry to stop + fee × (entry + stop)), and 0 from the breakeven stop on. Of a
    planned entry it is `StopPlan.loss_fraction` × the position's value.

    Args:
        side: "long" or "short". amount: in base currency (leverage is already in it), at least 0.
        entry_price: average fill. stop: present stop price. fee: of one side, as a fraction.

    Raises:
        RiskError: a number is NaN, infinite or of the wrong sign, or the side is unknown.
    """
    _check_side(side, "open trade")
    _check_money("amount", amount, "open trade")
    _check_above_zero("entry_price", entry_price, "open trade")
    _check_above_zero("stop", stop, "open trade")
    if not 0.0 <= fee < 0.1:
        raise RiskError(f"fee: {fee!r} is outside [0, 0.1); give one side's fee as a fraction")
    distance = entry_price - stop if side == LONG else stop - entry_price
    return max(amount * (distance + fee * (entry_price + stop)), 0.0)


def admit(
    request: EntryRequest,
    holdings: Sequence[Holding],
    *,
    equity: float,
    preset: Preset,
    settings: PortfolioSettings,
    components: ComponentSettings,
    correlation: Callable[[str], float],
    last_exit: LastExit | None,
    now: datetime,
    timeframe_seconds: int,
) -> Admission:
    """Whether `request` may be opened beside `holdings`. The first limit that refuses gives the reason.

    In order: the preset's pause; its most open trades; the pair's cooldown; the preset's reversals;
    heat = (Σ risk + reserved of the holdings + the request's risk) ÷ equity; correlated heat, the same with
    each holding times max(0, ρ) on the request's side and max(0, −ρ) on the other. An unknown (NaN) ρ counts
    the holding in full on either side. More holdings or a larger risk never turn a refusal into an admission.

    Args:
        equity: of the account, in stake currency. preset: of the pair's regime.
        correlation: another pair → ρ of its returns with the request's; asked for other pairs only.
        last_exit: of the request's pair; None: never traded.
        now: aware; candles since the exit are counted by candle starts, so that a live bot and a backtest
            agree. timeframe_seconds: length of a candle.

    Without `settings.cross_pair` the answer is what it would be if no other pair were held. Without
    `components.portfolio_limits` only the pause refuses, and nothing is measured.

    Raises:
        RiskError: equity or a correlation is not a usable number. Refuse the entry.
    """
    regime = request.regime or "the preset"
    if preset.pause:
        return Admission(False, f"entries are paused in {regime}", math.nan, math.nan, "pause")
    if not components.portfolio_limits:
        return Admission(True, "portfolio limits are off", math.nan, math.nan)
    _check_above_zero("equity", equity, f"entry in {request.pair}")
    if not settings.cross_pair:
        holdings = [holding for holding in holdings if holding.pair == request.pair]
    shares = [_share(request, holding, correlation) for holding in holdings]
    open_heat = sum(holding.at_risk for holding in holdings) / equity
    new_heat = request.risk / equity
    heat = open_heat + new_heat
    correlated = new_heat + sum(
        holding.at_risk * share / equity for holding, (share, _) in zip(holdings, shares, strict=True)
    )

    def refuse(limit: str, reason: str) -> Admission:
        return Admission(False, reason, heat, correlated, limit)

    if len(holdings) + 1 > preset.max_positions:
        return refuse(
            "max_positions", f"{_count(len(holdings), 'open trade')}; {regime} allows {preset.max_positions}"
        )
    if last_exit is not None:
        since = _candles_between(last_exit.when, now, timeframe_seconds)
        # 2 × 1.5 is 3 candles, however the product is rounded
        cooldown = math.ceil(settings.cooldown_candles * preset.cooldown - 1e-9)
        if cooldown > 0 and since <= cooldown:
            return refuse(
                "cooldown",
                f"{_count(since, 'candle')} since the last exit in {request.pair}; {regime} waits for "
                f"more than {cooldown} ({settings.cooldown_candles} × {preset.cooldown:g})",
            )
        if preset.avoid_reversals and request.side != last_exit.side and since <= settings.reversal_candles:
            return refuse(
                "avoid_reversals",
                f"{request.side} after a {last_exit.side} that was closed {_count(since, 'candle')} ago; "
                f"{regime} avoids reversals for {settings.reversal_candles}",
            )
    factor = _REDUCED if preset.reduce_exposure else 1.0
    halved = f", halved in {regime}" if preset.reduce_exposure else ""
    # a NaN must refuse, hence `not … <=`
    if not heat <= settings.max_heat * factor * _SLACK:
        return refuse(
            "max_heat",
            f"heat {heat:.2%} of equity ({open_heat:.2%} open, {new_heat:.2%} new) is above "
            f"{settings.max_heat * factor:.2%}{halved}",
        )
    if not correlated <= settings.max_correlated_heat * factor * _SLACK:
        return refuse(
            "max_correlated_heat",
            f"correlated heat {correlated:.2%} of equity is above "
            f"{settings.max_correlated_heat * factor:.2%}{halved}: {new_heat:.2%} new"
            f"{_largest_parts(holdings, shares, equity)}",
        )
    return Admission(
        True, f"heat {heat:.2%}, correlated {correlated:.2%}{_unknown(holdings, shares)}", heat, correlated
    )


def _share(
    request: EntryRequest, holding: Holding, correlation: Callable[[str], float]
) -> tuple[float, bool]:
    """The part of a holding's risk that moves with the request's, and whether its correlation is known."""
    rho = 1.0 if holding.pair == request.pair else correlation(holding.pair)
    if math.isnan(rho):
        return 1.0, False
    if not -1.0 <= rho <= 1.0:
        raise RiskError(f"correlation of {request.pair} with {holding.pair}: {rho!r} is outside [−1, 1]")
    return max(rho if holding.side == request.side else -rho, 0.0), True


def _candles_between(earlier: datetime, now: datetime, timeframe_seconds: int) -> int:
    """Candle starts from one to the other; an exit after `now` (an exchange's clock runs ahead) is now."""
    _check_aware("now", now)
    if timeframe_seconds <= 0:
        raise RiskError(f"timeframe_seconds: {timeframe_seconds!r} is not above 0")
    return max(int(now.timestamp() // timeframe_seconds) - int(earlier.timestamp() // timeframe_seconds), 0)


def _largest_parts(
    holdings: Sequence[Holding], shares: Sequence[tuple[float, bool]], equity: float, most: int = 3
) -> str:
    parts = sorted(
        zip(holdings, shares, strict=True), key=lambda part: part[0].at_risk * part[1][0], reverse=True
    )
    return "".join(
        f", {holding.pair} {holding.side} {holding.at_risk / equity:.2%} × {share:.2f}"
        + ("" if known else " (correlation unknown)")
        for holding, (share, known) in parts[:most]
        if share > 0.0
    )


def _unknown(holdings: Sequence[Holding], shares: Sequence[tuple[float, bool]]) -> str:
    pairs = [holding.pair for holding, (_, known) in zip(holdings, shares, strict=True) if not known]
    return f"; correlation with {', '.join(pairs)} unknown, counted as 1" if pairs else ""


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _check_side(side: str, what: str) -> None:
    if side not in (LONG, SHORT):
        raise RiskError(f"{what}: side {side!r} is neither {LONG!r} nor {SHORT!r}; refuse the entry")


def _check_money(name: str, value: float, what: str) -> None:
    if not 0.0 <= value < math.inf:
        raise RiskError(f"{what}: {name} {value!r} is not a finite number of at least 0; refuse the entry")


def _check_above_zero(name: str, value: float, what: str) -> None:
    if not 0.0 < value < math.inf:
        raise RiskError(f"{what}: {name} {value!r} is not a finite number above 0; refuse the entry")


def _check_aware(name: str, moment: datetime) -> None:
    if moment.tzinfo is None:
        raise RiskError(f"{name}: {moment} has no time zone; pass UTC")
