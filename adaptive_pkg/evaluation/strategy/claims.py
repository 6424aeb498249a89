"""What such a bot is said to reach, the test that would show it, what was measured, and a verdict in words.

Most of these claims can be met without any skill: a break-even stop lifts the win rate, a small stake
lowers the drawdown, a wide stop is seldom premature, and "the price stays" has a MAPE below 4 %. So each is
restated as a test that luck or a smaller stake does not pass, and judged by the interval of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.calibration import Estimate

ROUNDING = 1e-6  # two equal accounts, matched by bisection, differ by less


class Verdict(StrEnum):
    """How the restated test came out."""

    SUPPORTED = "supported"
    LESS = "helps, less than claimed"
    OPEN = "not shown"
    REFUTED = "refuted"
    MISSING = "not measured"


@dataclass(frozen=True)
class Claim:
    """One claim and its restated test.

    higher: whether more is better, of the literal figure. target: of the literal figure. size, use: of the
    restated figure: what the claim amounts to, and where it begins to help. better_above: the side that
    helps. percent: whether the two figures are fractions, shown in %.
    """

    key: str
    name: str
    claimed: str
    target: float
    higher: bool
    test: str
    why: str
    size: float
    use: float
    better_above: bool
    percent: tuple[bool, bool] = (True, True)
    digits: int = 2  # of a restated figure that is no percentage


@dataclass(frozen=True)
class Measured:
    """The literal figure, the restated one, and a further gate that must hold. NaN bounds: a plain fact."""

    literal: Estimate
    restated: Estimate
    gate: bool = True
    note: str = ""


@dataclass(frozen=True)
class ClaimRow:
    """A line of the table."""

    claim: Claim
    measured: str
    reached: bool | None  # the literal figure; None where it is not measured
    result: str
    verdict: Verdict
    answer: str


CLAIMS = (
    Claim(
        "win_rate", "win rate", "45 % → 55 %", 0.55, True,
        "the mean trade earns more than its fees",
        "a break-even stop or a near target lifts the win rate while the mean trade falls",
        0.0, 0.0, True,
    ),
    Claim(
        "sharpe", "Sharpe ratio", "1.5 → 2.0 and more", 2.0, True,
        "higher than the Donchian ensemble's on the same days, and a deflated Sharpe ratio of 0.95",
        "the best of a hundred worthless tries shows about 1.8 in two years",
        0.0, 0.0, True, (False, False),
    ),
    Claim(
        "drawdown", "max drawdown", "25 % → 15–18 %", 0.18, False,
        "smaller than the Donchian ensemble's at equal growth, by the 28 % claimed",
        "a smaller stake makes any drawdown smaller",
        -0.28, 0.0, False,
    ),
    Claim(
        "false_signals", "false signals", "−40 to −60 %", -0.40, False,
        "fewer entries that lose one ATR before they win one than entering at any candle of the same months",
        "fewer signals of any kind have fewer false ones among them",
        -0.40, 0.0, False,
    ),
    Claim(
        "premature_stops", "premature stops", "−40 to −50 %", -0.40, False,
        "fewer stops that the price comes back from than a fixed stop has at equal tail loss",
        "a wider stop is seldom premature, and loses more when it is hit",
        -0.40, 0.0, False,
    ),
    Claim(
        "mape", "forecast MAPE", "5.2 % → 3.54 %", 0.0354, False,
        "a smaller error than “the price stays where it is”, by the 32 % claimed",
        "the price's own level makes any forecast near it look accurate",
        0.68, 1.0, False, (True, False), 3,
    ),
    Claim(
        "profit_factor", "profit factor", "above 1.5", 1.5, True,
        "the interval, not the figure alone, lies above it",
        "a few large trades decide it",
        1.5, 1.0, True, (False, False),
    ),
    Claim(
        "single_loss", "single loss", "at most 5 % of the account", 0.05, False,
        "no day of the whole account loses more either",
        "trades that are open together fall together",
        0.05, 0.05, False,
    ),
    Claim(
        "kelly_drawdown", "Kelly sizing: drawdown", "−20 % and more", -0.20, False,
        "smaller than with a constant part at risk, at equal growth",
        "a smaller stake makes any drawdown smaller",
        -0.20, 0.0, False,
    ),
)  # fmt: skip


def judge_claims(measured: Mapping[str, Measured]) -> list[ClaimRow]:
    """The table, in the order of `CLAIMS`; what is missing says so. Raises DataError for an unknown key."""
    unknown = set(measured) - {claim.key for claim in CLAIMS}
    if unknown:
        raise DataError(f"claims: {', '.join(sorted(unknown))}; known: {', '.join(c.key for c in CLAIMS)}")
    return [_row(claim, measured.get(claim.key)) for claim in CLAIMS]


def _row(claim: Claim, found: Measured | None) -> ClaimRow:
    if found is None or np.isnan(found.literal.value):
        return ClaimRow(claim, "–", None, "–", Verdict.MISSING, f"{claim.name}: not measured in this run.")
    reached = found.literal.value >= claim.target if claim.higher else found.literal.value <= claim.target
    verdict = _verdict(claim, found)
    figure = (
        _text(found.restated, claim.percent[1], claim.digits) if np.isfinite(found.restated.value) else ""
    )
    result = "; ".join(part for part in (figure, found.note) if part)
    literal = _text(found.literal, claim.percent[0])
    return ClaimRow(
        claim, literal, bool(reached), result, verdict, _answer(claim, literal, reached, verdict, result)
    )


def _verdict(claim: Claim, found: Measured) -> Verdict:
    restated = found.restated
    if np.isnan(restated.value):
        return Verdict.MISSING if found.gate else Verdict.OPEN
    bounds = (restated.low, restated.high) if np.isfinite(restated.low) else (restated.value, restated.value)
    # turned so that less is better
    low, high = bounds if not claim.better_above else (-bounds[1], -bounds[0])
    size, use = (claim.size, claim.use) if not claim.better_above else (-claim.size, -claim.use)
    if low > use + ROUNDING:
        return Verdict.REFUTED
    plain = np.isnan(restated.low)
    if not found.gate or not (high <= use if plain else high < use - ROUNDING):
        return Verdict.OPEN
    return Verdict.SUPPORTED if high <= size else Verdict.LESS


def _answer(claim: Claim, literal: str, reached: bool, verdict: Verdict, result: str) -> str:
    first = (
        f"{claim.name}: {literal} beside a claimed {claim.claimed}, {'reached' if reached else 'not reached'}"
    )
    if verdict is Verdict.MISSING:
        return f"{first}; the test that would mean something was not measured."
    meaning = {
        Verdict.SUPPORTED: "and it means something" if reached else "but there is a gain",
        Verdict.LESS: f"{'and' if reached else 'but'} there is a gain, though less than claimed",
        Verdict.OPEN: "but no gain is shown" if reached else "and no gain is shown",
        Verdict.REFUTED: "but it means nothing" if reached else "and the opposite holds",
    }[verdict]
    return f"{first}, {meaning}: {claim.test}? {result}."


def _text(figure: Estimate, percent: bool, digits: int = 2) -> str:
    def one(value: float) -> str:
        return "∞" if np.isinf(value) else f"{100 * value:.1f} %" if percent else f"{value:.{digits}f}"

    if not np.isfinite(figure.low) or np.isnan(figure.high):
        return one(figure.value)
    return f"{one(figure.value)} ({one(figure.low)} to {one(figure.high)})"


def fact(value: float) -> Estimate:
    """A figure without an interval."""
    return Estimate(float(value), float("nan"), float("nan"))
