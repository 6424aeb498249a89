"""Settings of the signal library: its rules, their weights, the filters and the vote."""

from __future__ import annotations

from dataclasses import dataclass, fields

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.schema import Settings, param, section


@dataclass(frozen=True)
class RuleWeights(Settings):
    """Weight of each rule's vote; 0 leaves the rule out."""

    bb_squeeze: float = param(1.0, 0.0, 10.0, doc="break out of narrow Bollinger bands")
    vwap_pullback: float = param(0.8, 0.0, 10.0, doc="pullback to the rolling VWAP in a trend")
    vwap_bands_mr: float = param(0.7, 0.0, 10.0, doc="fade of a spike out of the VWAP bands")
    breakout_retest: float = param(1.2, 0.0, 10.0, doc="return to a broken channel that holds")
    atr_momentum: float = param(1.1, 0.0, 10.0, doc="a body large beside ATR, with ADX")
    rsi_mr: float = param(0.9, 0.0, 10.0, doc="RSI beyond a threshold that ADX moves")
    sfp: float = param(1.3, 0.0, 10.0, doc="swing failure: a wick beyond a swing, the close back inside")
    ema_pinch: float = param(1.5, 0.0, 10.0, doc="three averages close together and in order")
    cvd: float = param(1.4, 0.0, 10.0, doc="divergence, or a cross, of cumulative volume delta")
    fvg: float = param(1.3, 0.0, 10.0, doc="return to an unfilled three-candle gap")
    volume_profile: float = param(1.3, 0.0, 10.0, doc="rejection at the value area, or a cross of its peak")


@dataclass(frozen=True)
class RuleThresholds(Settings):
    """Where each rule draws its lines. Distances are in ATR, so they fit any timeframe."""

    squeeze_quantile: float = param(0.35, 0.01, 0.99, doc="quantile of past band widths that is narrow")
    squeeze_slack: float = param(1.2, 0.5, 5.0, doc="multiple of that quantile still counted as narrow")
    reference_candles: int = param(200, 40, 2000, doc="past band widths and average gaps compared with")
    near_band: float = param(0.1, 0.0, 0.5, doc="part of the bands' width that is close to a band")
    vwap_candles: int = param(48, 5, 1000, doc="candles of the rolling VWAP")
    vwap_near_atr: float = param(0.5, 0.05, 5.0, doc="distance from VWAP that is a pullback")
    vwap_band_atr: float = param(1.0, 0.1, 10.0, doc="distance of the VWAP bands")
    vwap_move_atr: float = param(0.4, 0.05, 5.0, doc="least one-candle move out of the VWAP bands")
    vwap_volume: float = param(1.5, 0.0, 20.0, doc="least volume ratio of a move out of the VWAP bands")
    retest_candles: int = param(5, 1, 100, doc="candles after a breakout in which it may be retested")
    retest_atr: float = param(0.25, 0.0, 5.0, doc="distance from the broken level that is a retest")
    momentum_body_atr: float = param(0.6, 0.05, 10.0, doc="least body of a momentum candle")
    momentum_adx: float = param(18.0, 0.0, 80.0, doc="least ADX of a momentum candle")
    rsi_range: float = param(
        35.0, 5.0, 49.0, doc="oversold RSI where ADX is below 25; overbought is its mirror"
    )
    rsi_between: float = param(30.0, 5.0, 49.0, doc="oversold RSI where ADX is 25 to 40")
    rsi_trend: float = param(25.0, 5.0, 49.0, doc="oversold RSI where ADX is above 40")
    rsi_overshoot_atr: float = param(
        1.0, 0.0, 10.0, doc="farthest beyond a Bollinger band that is still faded"
    )
    swing_candles: int = param(8, 2, 200, doc="candles whose extreme is the swing of a swing failure")
    pinch_quantile: float = param(0.15, 0.01, 0.9, doc="quantile of past gaps that is a pinch")
    ema_long: int = param(200, 20, 1000, doc="simple average that is the slowest of the pinch")
    divergence_candles: int = param(20, 6, 200, doc="candles that both swings of a divergence lie within")
    divergence_least: float = param(0.15, 0.0, 1.0, doc="least size of a divergence")
    cvd_mean_candles: int = param(20, 2, 500, doc="mean that volume delta crosses")
    gap_atr: float = param(0.25, 0.01, 10.0, doc="least height of a three-candle gap")
    gap_age_candles: int = param(50, 2, 500, doc="age at which a gap is forgotten")
    gap_near_atr: float = param(0.35, 0.0, 5.0, doc="distance from a gap that is a return to it")
    profile_candles: int = param(200, 20, 1000, doc="candles of the volume profile")
    profile_bins: int = param(50, 5, 500, doc="price bins of the volume profile")
    value_area: float = param(0.70, 0.1, 0.99, doc="central part of the volume that is the value area")
    profile_room_atr: float = param(1.0, 0.0, 20.0, doc="least way left to the profile's peak for a fade")
    profile_near_atr: float = param(0.5, 0.01, 10.0, doc="distance from the profile's peak that is a cross")

    def check(self) -> None:
        if not self.rsi_trend <= self.rsi_between <= self.rsi_range:
            raise SettingsError(
                f"rsi_trend {self.rsi_trend}, rsi_between {self.rsi_between}, rsi_range {self.rsi_range}: "
                "must rise in this order, since a trend asks for a more extreme RSI"
            )


@dataclass(frozen=True)
class LibraryFilters(Settings):
    """What silences the vote on one side or both. A filter whose column is absent is neutral."""

    funding_limit: float = param(
        0.001, 0.0, 0.1, doc="funding per 8 h, a fraction, beyond which the paying side is blocked"
    )
    least_volume_ratio: float = param(0.5, 0.0, 10.0, doc="volume ratio below which nothing votes")
    least_atr_ratio: float = param(
        0.3, 0.0, 10.0, doc="ATR % over its trailing mean below which nothing votes"
    )
    most_atr_ratio: float = param(
        3.0, 0.1, 100.0, doc="ATR % over its trailing mean above which nothing votes"
    )
    breadth_strength: float = param(
        0.35, 0.0, 1.0, doc="strength of the alt-coin breadth's vote at breadth ±1"
    )
    breadth_weight: float = param(0.2, 0.0, 10.0, doc="weight of the alt-coin breadth's vote")

    def check(self) -> None:
        if self.least_atr_ratio >= self.most_atr_ratio:
            raise SettingsError(
                f"least_atr_ratio: {self.least_atr_ratio} must be below "
                f"most_atr_ratio ({self.most_atr_ratio})"
            )


@dataclass(frozen=True)
class LearnedWeightSettings(Settings):
    """How far closed trades may move a rule's weight."""

    enabled: bool = param(False, doc="weights follow the closed trades; off: they stay as set")
    prior_trades: float = param(
        50.0, 1.0, 10000.0, doc="trades that weigh as much as the assumption of no skill"
    )
    full_r: float = param(
        0.5, 0.01, 10.0, doc="shrunk credit in R at which a weight has moved as far as it may"
    )
    lowest: float = param(0.6, 0.0, 1.0, doc="least multiple of a weight")
    highest: float = param(1.4, 1.0, 10.0, doc="largest multiple of a weight")


@dataclass(frozen=True)
class LibrarySettings(Settings):
    """The signal library and its vote."""

    confidence_weight: float = param(
        0.0,
        0.0,
        1.0,
        doc="largest relative change of the confidence by the vote; 0: the library is not asked",
    )
    least_votes: float = param(0.45, 0.0, 50.0, doc="weighted votes a side needs to win")
    full_votes: float = param(2.0, 0.1, 100.0, doc="lead in weighted votes at which the vote's score is ±1")
    regime_bonus: float = param(0.12, 0.0, 2.0, doc="relative gain of a rule in the regime it is made for")
    weights: RuleWeights = section(RuleWeights)
    rules: RuleThresholds = section(RuleThresholds)
    filters: LibraryFilters = section(LibraryFilters)
    learning: LearnedWeightSettings = section(LearnedWeightSettings)


LIBRARY_RULES = tuple(item.name for item in fields(RuleWeights))
