"""Settings of the risk room: Kelly sizing and the stop's life."""

from __future__ import annotations

from dataclasses import dataclass

from adaptive_pkg.enums import SizingMode, ThresholdSet
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.schema import Settings, param


@dataclass(frozen=True)
class KellySettings(Settings):
    """Kelly fraction from closed trades."""

    fraction: float = param(0.25, 0.01, 1.0, doc="part of full Kelly that is used; the profile sets it")
    min_trades: int = param(30, 5, 1000, doc="closed trades before the estimate replaces the start value")
    start_fraction: float = param(0.01, 0.0005, 0.1, doc="fraction of equity at risk before min_trades")
    floor: float = param(0.005, 0.0, 0.1, doc="smallest fraction at risk while trading goes on")
    cap: float = param(0.10, 0.001, 0.5, doc="largest fraction of equity at risk")
    # Both priors are variance within a trade over variance between edges: R varies by about 1.5, and edges
    # that differ by 0.05 to 0.06 R make that 400 to 600. `adaptive bench kelly` measures what they do.
    start_trades: int = param(
        600, 0, 100000, doc="trades that start_fraction counts as; that many on record: half way to Kelly"
    )
    prior_trades: int = param(
        400,
        1,
        10000,
        doc="pooled trades a regime's own record is blended with; the more the regimes differ, the fewer",
    )
    significance: float = param(
        0.5,
        0.0,
        5.0,
        doc="standard errors by which the edge must exceed zero before size may pass start_fraction; "
        "twice that: no longer held back",
    )
    # From the first loss on, so that a bad run is met small: the deepest falls come at full size.
    drawdown_start: float = param(0.0, 0.0, 0.9, doc="drawdown at which size starts to fall")
    drawdown_full: float = param(0.20, 0.01, 0.95, doc="drawdown at which size reaches drawdown_floor")
    drawdown_floor: float = param(0.15, 0.0, 1.0, doc="multiplier on size at and beyond drawdown_full")

    def check(self) -> None:
        if not self.floor <= self.start_fraction <= self.cap:
            raise SettingsError(
                f"start_fraction: {self.start_fraction} must lie between floor ({self.floor}) "
                f"and cap ({self.cap})"
            )
        if self.drawdown_start >= self.drawdown_full:
            raise SettingsError(
                f"drawdown_start: {self.drawdown_start} must be below drawdown_full ({self.drawdown_full})"
            )


@dataclass(frozen=True)
class SizingSettings(Settings):
    """From a fraction to a stake."""

    mode: SizingMode = param(
        SizingMode.RISK, doc="risk: fraction of equity lost at the stop; notional: in position"
    )
    max_position_fraction: float = param(
        0.30, 0.01, 1.0, doc="largest part of equity in one position, before leverage"
    )
    max_loss_fraction: float = param(
        0.05, 0.001, 0.5, doc="largest part of equity one trade may lose at its stop"
    )
    fee: float = param(0.001, 0.0, 0.05, doc="one side's fee until the trade's own is known, as a fraction")
    max_entry_gap_atr: float = param(
        1.0, 0.05, 20.0, doc="an entry farther from the signal's close than this many ATR is refused"
    )
    max_leverage: float = param(3.0, 1.0, 125.0, doc="futures: largest leverage, however near the stop")
    maintenance_margin: float = param(
        0.01, 0.0, 0.5, doc="futures: maintenance margin rate of the venue's bracket"
    )
    liquidation_buffer: float = param(
        0.25, 0.0, 0.9, doc="futures: part of the way to liquidation that stays beyond the stop"
    )


@dataclass(frozen=True)
class StopSettings(Settings):
    """Initial ATR stop, then breakeven, then trailing. Fractions are price moves, not leveraged profit."""

    multiple_set: ThresholdSet = param(
        ThresholdSet.RELATIVE,
        doc="relative: ATR multiple from ATR against its own past; absolute: from ATR %",
    )
    profile_scale: float = param(
        1.0, 0.25, 4.0, doc="multiplier on every initial stop distance; the profile sets it"
    )
    min_fraction: float = param(
        0.005, 0.0005, 0.2, doc="nearest initial stop, as a fraction of the entry price"
    )
    max_fraction: float = param(0.05, 0.001, 0.5, doc="farthest initial stop; the profile sets it")
    target_scale: float = param(1.0, 0.1, 10.0, doc="multiplier on every preset's target_atr")
    breakeven_trigger: float = param(
        0.015, 0.0, 0.5, doc="favourable move at which the stop goes to breakeven"
    )
    trail_trigger: float = param(0.025, 0.0, 0.5, doc="favourable move at which trailing starts")
    trail_atr: float = param(1.5, 0.1, 20.0, doc="trailing distance in ATR from the best close since entry")
    market_gap: float = param(
        0.001, 0.0, 0.05, doc="a moved stop stays this part of the entry price short of the last close"
    )
    fixed_fraction: float = param(0.02, 0.0005, 0.5, doc="stop distance when dynamic stops are switched off")

    def check(self) -> None:
        if self.min_fraction > self.max_fraction:
            raise SettingsError(
                f"min_fraction: {self.min_fraction} is above max_fraction ({self.max_fraction}); lower it"
            )
        if self.breakeven_trigger > self.trail_trigger:
            raise SettingsError(
                f"breakeven_trigger: {self.breakeven_trigger} is above trail_trigger ({self.trail_trigger}); "
                "the stop would trail before it breaks even"
            )


@dataclass(frozen=True)
class LadderSettings(Settings):
    """Rungs below an entry, planned and reserved at the entry; scale-outs above it."""

    depth: float = param(0.75, 0.05, 0.95, doc="deepest rung, as a part of the way from entry to stop")
    weight: float = param(1.0, 0.1, 5.0, doc="stake of a rung over the stake of the rung before it")
    grid_step: float = param(
        1.0, 0.1, 10.0, doc="a grid rung is sold when the close is this many rung distances above its fill"
    )
    scale_out_steps: tuple[float, ...] = param(
        lambda: (0.5,), 0.05, 0.99, doc="parts of the way to the target at which some is closed"
    )
    scale_out_shares: tuple[float, ...] = param(
        lambda: (0.4,), 0.01, 0.95, doc="part of the first entry's amount that is closed at each step"
    )

    def check(self) -> None:
        if len(self.scale_out_steps) != len(self.scale_out_shares):
            raise SettingsError(
                f"scale_out_steps {self.scale_out_steps} and scale_out_shares {self.scale_out_shares} "
                "must be of one length"
            )
        if list(self.scale_out_steps) != sorted(set(self.scale_out_steps)):
            raise SettingsError(f"scale_out_steps: {self.scale_out_steps} must rise")
        if sum(self.scale_out_shares) >= 1.0:
            raise SettingsError(
                f"scale_out_shares: {self.scale_out_shares} must sum below 1: some is left for the target"
            )


@dataclass(frozen=True)
class PortfolioSettings(Settings):
    """Limits across pairs and days. Heat: what all open trades lose at their stops, as a part of equity."""

    max_heat: float = param(0.06, 0.001, 1.0, doc="largest heat of all open trades and the new one")
    max_correlated_heat: float = param(
        0.04, 0.001, 1.0, doc="largest heat of the new trade and the open ones, each times its correlation"
    )
    correlation_candles: int = param(168, 20, 5000, doc="closed candles of returns in a correlation")
    cooldown_candles: int = param(2, 0, 1000, doc="candles without entry after a pair's exit")
    reversal_candles: int = param(24, 1, 10000, doc="how long avoid_reversals looks back")
    daily_loss: float = param(
        0.03, 0.001, 1.0, doc="loss of a day, as a part of equity, that stops entries for a day"
    )
    drawdown_halt: float = param(0.15, 0.01, 1.0, doc="drawdown of a week that stops entries")
    drawdown_halt_candles: int = param(48, 1, 10000, doc="how long that stop lasts")
    cross_pair: bool = param(
        True, doc="off: a pair's entry depends on no other pair, as lookahead-analysis needs"
    )
