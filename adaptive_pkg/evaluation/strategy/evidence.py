"""What is measured for each claim: its literal figure, and one that luck or a smaller stake does not move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adaptive_pkg.evaluation.stop_rules import FIXED, FIXED_MEAN, RuleFigures
from adaptive_pkg.evaluation.stop_rules import Difference as StopDifference
from adaptive_pkg.evaluation.strategy.bootstrap import Difference
from adaptive_pkg.evaluation.strategy.claims import Measured, fact
from adaptive_pkg.evaluation.strategy.excursions import EntryQuality
from adaptive_pkg.evaluation.strategy.luck import Luck
from adaptive_pkg.evaluation.strategy.matching import Matched
from adaptive_pkg.evaluation.strategy.performance import Performance
from adaptive_pkg.evaluation.strategy.trading import TradeFigures
from adaptive_pkg.policy.calibration import Estimate


def win_rate(figures: TradeFigures) -> Measured:
    """From the closed trades."""
    return Measured(figures.win_rate, figures.expectancy)


def sharpe_ratio(literal: Estimate, beside_trend: Difference, luck: Luck) -> Measured:
    """From our daily Sharpe ratio, its paired difference to the plain trend rule's, and the luck in it."""
    restated = Estimate(beside_trend.value, beside_trend.low, beside_trend.high)
    return Measured(literal, restated, luck.passed, f"deflated Sharpe ratio {luck.deflated:.2f}")


def drawdown(performance: Performance, beside_trend: Matched) -> Measured:
    """From our account and the comparison at equal growth."""
    return _at_equal_growth(performance.max_drawdown, beside_trend)


def false_signals(quality: EntryQuality) -> Measured:
    """From the entries and all candles of the same months."""
    note = f"{quality.false:.1%} of entries, {quality.base:.1%} of all candles"
    return Measured(quality.relative, quality.relative, note=note)


def stop_figures(rules: Sequence[RuleFigures], gaps: Sequence[StopDifference]) -> Measured:
    """Of the dynamic stop beside fixed ones of equal mean distance and of equal tail loss (`stop_rules`).

    The intervals are those of the paired differences, over the fixed stop's own rate taken as known.
    """
    rates = {rule.rule: rule.whipsaws_per_100 for rule in rules}

    def relative(other: str) -> Estimate:
        gap = next(gap.whipsaws_per_100 for gap in gaps if gap.other == other)
        base = rates[other] if rates[other] > 0 else float("nan")
        return Estimate(gap.value / base, gap.low / base, gap.high / base)

    return premature_stops(relative(FIXED_MEAN), relative(FIXED))


def premature_stops(relative: Estimate, at_equal_tail: Estimate) -> Measured:
    """From the relative change against a fixed stop of equal mean distance, and of equal tail loss."""
    return Measured(relative, at_equal_tail)


def mape(literal: float, persistence: float, over_persistence: Estimate) -> Measured:
    """From the forecast's MAPE and persistence's as fractions, and the ratio of the two."""
    return Measured(fact(literal), over_persistence, note=f"persistence has {persistence:.2%}")


def profit_factor(figures: TradeFigures) -> Measured:
    """From the closed trades."""
    return Measured(figures.profit_factor, figures.profit_factor)


def single_loss(figures: TradeFigures, performance: Performance) -> Measured:
    """From the largest loss of a trade and of a day, both over the account."""
    return Measured(fact(figures.largest_loss), fact(max(0.0, -performance.worst_day)))


def kelly_drawdown(raw: float, at_equal_growth: Matched) -> Measured:
    """From the relative drawdown against a constant part at risk, as it came and at equal growth."""
    return _at_equal_growth(raw, at_equal_growth)


def _at_equal_growth(literal: float, matched: Matched) -> Measured:
    comparable = bool(np.isfinite(matched.scale))
    note = (
        "" if comparable else "the account did not grow, or nothing else grows as it did: nothing to compare"
    )
    return Measured(fact(literal), matched.difference, comparable, note)
