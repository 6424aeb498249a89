"""What each component is worth: the strategy without it, it alone beside nothing, the other approach instead.

Components move the size of trades as well as their choice, so two figures stand beside each other: the plain
difference in return, and the difference in growth after the other account is scaled to the same tail loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

import numpy as np
from statsmodels.stats.multitest import multipletests

from adaptive_pkg.enums import Approach
from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy.bootstrap import Difference, Draws, difference, draw_days, mean_annual
from adaptive_pkg.evaluation.strategy.jobs import JobResult
from adaptive_pkg.evaluation.strategy.matching import (
    Matched,
    drawdown_at_equal_growth,
    growth_at_equal_tail,
)
from adaptive_pkg.evaluation.strategy.performance import sharpe
from adaptive_pkg.settings import ComponentSettings, load_settings

FULL, NOTHING = "full", "nothing"
ONLY_WHILE_TRADING = {
    "market_gate",
    "circuit_breaker",
}  # a backtest has no order book, and nothing fails in it
COMPONENTS = tuple(i.name for i in fields(ComponentSettings) if i.name not in ONLY_WHILE_TRADING)
_DECIDED = ["pair", "open_date", "close_date", "stake_amount", "profit_abs", "exit_reason"]


class Kind(StrEnum):
    """How it is judged: against the strategy without it, alone against none of them, or in its place."""

    OFF = "without"
    ALONE = "alone"
    INSTEAD = "instead"

    @property
    def words(self) -> str:
        return {"without": "in the whole", "alone": "on its own", "instead": "in place of ours"}[self]


@dataclass(frozen=True)
class Variant:
    """Settings of one run: name, and what is laid over the configuration."""

    name: str
    adaptive: Mapping[str, Any]


@dataclass(frozen=True)
class Effect:
    """What a component, or the other approach, does: daily returns with it less those without it.

    mean_return: of a year, as a fraction. sharpe: annual. growth: log growth a year at equal tail loss.
    drawdown: relative, at equal growth; NaN where one of the two does not grow. trades: with it and without.
    p: two-sided, of "no effect on the mean return", after Holm's (1979) correction over the kind's effects.
    """

    component: str
    kind: Kind
    mean_return: Difference
    sharpe: Difference
    growth: Matched
    drawdown: Matched
    trades: tuple[int, int]
    same: bool  # not one trade and not one daily return differs
    p: float

    @property
    def verdict(self) -> str:
        """helps, harms, no evidence, or not in use: by growth at equal tail loss, 95 %."""
        if self.same:
            return "not in use"
        low, high = self.growth.difference.low, self.growth.difference.high
        if not (np.isfinite(low) and np.isfinite(high)):
            low, high = self.mean_return.low, self.mean_return.high
        return "helps" if low > 0 else "harms" if high < 0 else "no evidence"

    @property
    def answer(self) -> str:
        """One plain sentence."""
        name = spoken(self.component)
        where = self.kind.words
        if self.same:
            return f"{name}, {where}: not in use with these settings in this span; no trade differs."
        shown = self.growth.difference
        numbers = f"{shown.value:+.1%} a year at equal tail loss ({shown.low:+.1%} to {shown.high:+.1%})"
        if not np.isfinite(shown.value):
            numbers = (
                f"{self.mean_return.value:+.1%} return a year "
                f"({self.mean_return.low:+.1%} to {self.mean_return.high:+.1%})"
            )
        words = {"helps": "helps", "harms": "harms", "no evidence": "no evidence that it helps or harms"}
        return f"{name}, {where}: {words[self.verdict]}, {numbers}."


def components(on: ComponentSettings, uses_forecast: bool) -> tuple[str, ...]:
    """Those that can be judged: switched on, and the forecast only where a model makes one."""
    return tuple(name for name in COMPONENTS if getattr(on, name) and (name != "forecast" or uses_forecast))


def variants(on: ComponentSettings, uses_forecast: bool = False) -> list[Variant]:
    """The runs of an ablation: everything, each component off in turn, each alone, nothing.

    Raises:
        SettingsError: every component is off already.
    """
    judged = components(on, uses_forecast)
    if not judged:
        raise SettingsError("components: all are switched off; there is nothing to judge")
    nothing = dict.fromkeys(COMPONENTS, False)
    return [
        Variant(FULL, {}),
        *(Variant(_name(Kind.OFF, name), {"components": {name: False}}) for name in judged),
        *(Variant(_name(Kind.ALONE, name), {"components": {**nothing, name: True}}) for name in judged),
        Variant(NOTHING, {"components": nothing}),
    ]


def alternatives(adaptive: Mapping[str, Any]) -> list[Variant]:
    """The other approaches, with what else the configuration says left as it is.

    Args:
        adaptive: the configuration's own block. One that another approach cannot be run with has no variant:
            presets of a style that does not go with it.
    """
    ours = load_settings({"adaptive": adaptive}).approach
    found = []
    for other in Approach:
        if other is ours:
            continue
        try:
            load_settings({"adaptive": {**adaptive, "approach": str(other)}})
        except SettingsError:
            continue
        found.append(Variant(approach_name(other), {"approach": str(other)}))
    return found


def spoken(component: str) -> str:
    """A component's name in a sentence."""
    return component.replace("_", " ").replace("kelly", "Kelly")


def approach_name(approach: Approach) -> str:
    """Of its run."""
    return f"approach: {approach}"


def distinct(results: Mapping[str, JobResult]) -> dict[str, JobResult]:
    """The runs without those whose account is another's day by day: switching off what is not in use."""
    found: dict[bytes, str] = {}
    for name, result in results.items():
        found.setdefault(result.returns.to_numpy().tobytes(), name)
    return {name: results[name] for name in found.values()}


def effects(results: Mapping[str, JobResult], draws: Draws | None = None) -> list[Effect]:
    """Judge every component that has runs, in the whole, then alone, then the other approaches.

    Args:
        results: by the variants' names. draws: days drawn for all of them; None draws them.

    Raises:
        DataError: accounts of different days, or fewer than 30.
    """
    first = next(iter(results.values())).returns.index
    if not all(result.returns.index.equals(first) for result in results.values()):
        raise DataError("ablation: the runs are of different spans; run them over the same one")
    if draws is None:
        draws = draw_days(np.column_stack([result.returns for result in results.values()]))
    found = []
    names = {
        **dict.fromkeys((Kind.OFF, Kind.ALONE), COMPONENTS),
        Kind.INSTEAD: tuple(map(approach_name, Approach)),
    }
    for kind in Kind:
        judged = [name for name in names[kind] if _name(kind, name) in results]
        of_kind = [_effect(name, kind, results, draws) for name in judged]
        corrected = multipletests([effect.p for effect in of_kind], method="holm")[1] if of_kind else ()
        found += [replace(effect, p=float(p)) for effect, p in zip(of_kind, corrected, strict=True)]
    return found


def _effect(component: str, kind: Kind, results: Mapping[str, JobResult], draws: Draws) -> Effect:
    run = _name(kind, component)
    one, other = {Kind.OFF: (FULL, run), Kind.ALONE: (run, NOTHING), Kind.INSTEAD: (run, FULL)}[kind]
    with_it, without_it = results[one], results[other]
    ours, theirs = with_it.returns.to_numpy(), without_it.returns.to_numpy()
    mean = difference(mean_annual, ours, theirs, draws)
    same = bool((ours == theirs).all()) and with_it.trades[_DECIDED].equals(without_it.trades[_DECIDED])
    return Effect(
        component,
        kind,
        mean,
        difference(sharpe, ours, theirs, draws),
        growth_at_equal_tail(ours, theirs, draws),
        drawdown_at_equal_growth(ours, theirs, draws),
        (len(with_it.trades), len(without_it.trades)),
        same,
        1.0
        if same
        else min(1.0, 2 * min(mean.p_not_better, 1 - mean.p_not_better + 1 / (1 + len(draws.rows)))),
    )


def _name(kind: Kind, component: str) -> str:
    return component if kind is Kind.INSTEAD else f"{kind} {component}"
