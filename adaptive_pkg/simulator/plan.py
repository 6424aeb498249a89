"""What a synthetic market is made of: one plan per regime, and the things all regimes share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.schema import Settings, param


@dataclass(frozen=True)
class RegimePlan(Settings):
    """How prices and volume behave while one regime lasts.

    Everything that shapes the path is in units of the candle or of its own σ, so that a regime looks the
    same to an indicator whatever the timeframe; only `volatility_pct` is tied to the clock.
    """

    volatility_pct: float = param(0.6, 0.001, 20.0, doc="σ of the log return of one hour, in percent")
    drift_sigma: float = param(0.0, 0.0, 2.0, doc="drift per candle in σ; its sign is drawn at each start")
    autocorrelation: float = param(
        0.0, -0.9, 0.9, doc="lag-1 correlation of shocks: above 0 momentum, below 0 reversals"
    )
    reversion: float = param(
        0.0, 0.0, 0.9, doc="part of the distance to the level of the regime's start undone per candle"
    )
    volume: float = param(1.0, 0.01, 100.0, doc="typical volume relative to the market's base volume")
    dwell_candles: float = param(80.0, 2.0, 1e6, doc="mean length of a stay, in candles")
    weight: float = param(1.0, 0.0, 1e6, doc="relative chance of being the next regime")


DEFAULT_REGIME_PLANS: dict[Regime, RegimePlan] = {
    Regime.STRONG_TREND: RegimePlan(
        volatility_pct=0.60, drift_sigma=0.22, autocorrelation=0.12, volume=1.3, dwell_candles=90, weight=1.2
    ),
    Regime.VOLATILE_TREND: RegimePlan(
        volatility_pct=1.30, drift_sigma=0.18, autocorrelation=0.10, volume=2.2, dwell_candles=50, weight=0.8
    ),
    Regime.TIGHT_RANGE: RegimePlan(
        volatility_pct=0.25, reversion=0.12, volume=0.6, dwell_candles=90, weight=1.0
    ),
    Regime.CHOPPY: RegimePlan(
        volatility_pct=0.85, autocorrelation=-0.25, reversion=0.04, volume=1.1, dwell_candles=70, weight=1.0
    ),
    Regime.TRANSITIONAL: RegimePlan(
        volatility_pct=0.55, drift_sigma=0.05, volume=0.9, dwell_candles=40, weight=1.0
    ),
}


@dataclass(frozen=True)
class GapPlan(Settings):
    """Exchange outages: rows that are missing. Prices move on while nothing is recorded."""

    count: int = param(0, 0, 10_000, doc="number of outages")
    candles: int = param(6, 1, 10_000, doc="candles missing in each")


@dataclass(frozen=True)
class MarketPlan(Settings):
    """A synthetic market: its regimes and what they share."""

    regimes: Mapping[Regime, RegimePlan] = field(
        default_factory=lambda: dict(DEFAULT_REGIME_PLANS), metadata={"doc": "one plan per regime"}
    )
    start_price: float = param(100.0, 1e-8, 1e8, doc="first open")
    up_share: float = param(0.5, 0.0, 1.0, doc="share of trends that go up")
    student_dof: float | None = param(
        4.0, 2.1, 1e6, doc="degrees of freedom of the Student-t shocks; none: Gaussian"
    )
    cluster_persistence: float = param(
        0.97, 0.0, 0.999, doc="lag-1 correlation of log volatility inside a regime"
    )
    cluster_spread: float = param(0.30, 0.0, 2.0, doc="standard deviation of log volatility inside a regime")
    common_share: float = param(
        0.5, 0.0, 1.0, doc="part of each pair's shock variance that comes from the common factor"
    )
    dwell_shape: float = param(
        4.0, 0.2, 100.0, doc="shape of the gamma distribution of stays; 1 would be geometric"
    )
    min_dwell_candles: int = param(12, 1, 10_000, doc="shortest stay")
    base_volume_quote: float = param(1e7, 1e-3, 1e15, doc="median traded value of an hour, in quote currency")
    volume_spread: float = param(0.35, 0.0, 3.0, doc="standard deviation of log volume noise")
    volume_return_elasticity: float = param(
        0.4, 0.0, 3.0, doc="log volume gained per unit of log(1 + |return| in σ)"
    )
    daily_season: float = param(0.25, 0.0, 0.99, doc="amplitude of the daily volume wave; 0 switches it off")
    season_peak_hour: float = param(15.0, 0.0, 24.0, doc="UTC hour at which volume peaks")
    gaps: GapPlan = field(default_factory=GapPlan, metadata={"doc": "missing candles"})

    def check(self) -> None:
        if not self.regimes:
            raise SettingsError("regimes: the plan has no regime; give a RegimePlan for at least one")
        for regime, plan in self.regimes.items():
            if not isinstance(regime, Regime) or not isinstance(plan, RegimePlan):
                raise SettingsError(
                    f"regimes: {regime!r} → {plan!r} is not a Regime with its RegimePlan; "
                    "use keys of adaptive_pkg.enums.Regime"
                )
        if not any(plan.weight > 0 for plan in self.regimes.values()):
            raise SettingsError("regimes: every weight is 0; give at least one regime a weight above 0")
