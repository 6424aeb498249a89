"""Rolling walk-forward: settings are chosen on the past, traded on the span after it, and the spans joined.

Every span's settings come from days that end `purge_days` before it, so no trade reaches from where they
were chosen into where they are judged. A test run starts `burn_in_days` early with the span's own settings,
so that Kelly's ledger and the open trades are there on the first day as they would be; what it makes in that
time is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.evaluation.strategy.jobs import JobResult, StrategyJob
from adaptive_pkg.evaluation.strategy.runner import Runner
from adaptive_pkg.evaluation.strategy.search import SearchSpan, SearchTrial, best, laid_over, search

_MONEY = ("amount", "stake_amount", "max_stake_amount", "profit_abs", "turnover")
LEAST_DAYS = 60  # of an evaluation; a shorter one says nothing


@dataclass(frozen=True)
class Span:
    """Settings are chosen on [train_start, train_end) and judged on [test_start, test_end)."""

    number: int
    train_start: pd.Timestamp
    train_end: pd.Timestamp
    test_start: pd.Timestamp
    test_end: pd.Timestamp


@dataclass(frozen=True)
class WalkPlan:
    """The calendar.

    Args:
        start, end: days to be judged, [start, end), midnights in UTC.
        train_days, test_days: of one span; a remainder shorter than half a test lengthens the last one.
        purge_days: between the days that settings are chosen on and those they are judged on.
        burn_in_days: before each test, traded with its settings and not counted.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    train_days: int = 365
    test_days: int = 182
    purge_days: int = 3
    burn_in_days: int = 60

    def __post_init__(self) -> None:
        for name, least in (("train_days", 60), ("test_days", 30), ("purge_days", 0), ("burn_in_days", 0)):
            if getattr(self, name) < least:
                raise SettingsError(f"{name}: {getattr(self, name)}; give at least {least}")
        days = (self.end - self.start).days
        if days < LEAST_DAYS:
            raise DataError(
                f"{self.start:%Y-%m-%d} – {self.end:%Y-%m-%d} is a span of {days} days; give at least "
                f"{LEAST_DAYS}, or the figures mean nothing"
            )

    def spans(self) -> list[Span]:
        """Spans in order; the tests lie end to end and fill the plan."""
        test, train = pd.Timedelta(days=self.test_days), pd.Timedelta(days=self.train_days)
        count = max(round((self.end - self.start) / test), 1)
        found = []
        for number in range(count):
            begins = self.start + number * test
            ends = begins + test if number < count - 1 else self.end
            known = begins - pd.Timedelta(days=self.purge_days)
            found.append(Span(number, known - train, known, begins, ends))
        return found


@dataclass(frozen=True)
class Walk:
    """What came out, out of sample.

    settings: per span, laid over the configuration's own. returns: daily, over all spans. trades: closed
    within a span, which `span` says, in the money of the joined account. results: per span, burn-in
    included. trials: every one tried.
    """

    spans: list[Span]
    settings: list[Mapping[str, Any]]
    returns: pd.Series
    trades: pd.DataFrame
    results: list[JobResult]
    trials: list[SearchTrial]


def walk_forward(
    runner: Runner,
    plan: WalkPlan,
    pairs: tuple[str, ...],
    hyperopt: int = 0,
    adaptive: Mapping[str, Any] | None = None,
    cost_multiple: float = 1.0,
    seed: int = 1,
) -> Walk:
    """Walk forward over the plan.

    Args:
        hyperopt: settings tried in each training span; 0: the settings are fixed, nothing is chosen and the
            spans are one run, whose trades cross their borders.

    Raises:
        DataError: the candles do not reach back far enough, or a job cannot be run.
    """
    base, spans = dict(adaptive or {}), plan.spans()
    if not hyperopt:
        jobs = {"all": StrategyJob(pairs, plan.start, plan.end, base, cost_multiple)}
        whole = runner.run(jobs)["all"]
        trades = _numbered(whole.trades, spans)
        return Walk(spans, [base] * len(spans), whole.returns, trades, [whole], [])
    training = [SearchSpan(span.number, span.train_start, span.train_end) for span in spans]
    tried = search(runner, training, pairs, hyperopt, base, seed)
    chosen = [laid_over(base, best(tried[span.number]).params) for span in spans]
    burn_in = pd.Timedelta(days=plan.burn_in_days)
    results = runner.run(
        {
            str(span.number): StrategyJob(
                pairs, span.test_start - burn_in, span.test_end, settings, cost_multiple
            )
            for span, settings in zip(spans, chosen, strict=True)
        },
        "walking forward",
    )
    parts = [results[str(span.number)] for span in spans]
    return Walk(
        spans,
        chosen,
        join_returns(spans, parts),
        _joined_trades(spans, parts),
        parts,
        [trial for span in spans for trial in tried[span.number]],
    )


def join_returns(spans: list[Span], results: list[JobResult]) -> pd.Series:
    """Daily returns of the spans' own days, end to end. Raises DataError for a day missing or doubled."""
    parts = []
    for span, result in zip(spans, results, strict=True):
        returns = result.returns
        parts.append(returns[(returns.index >= span.test_start) & (returns.index < span.test_end)])
    joined = pd.concat(parts)
    whole = pd.date_range(spans[0].test_start, spans[-1].test_end, freq="D", inclusive="left")
    if len(joined) != len(whole) or (joined.index != whole).any():
        raise DataError(
            f"joined spans hold {len(joined)} days where {len(whole)} lie between "
            f"{whole[0]:%Y-%m-%d} and {whole[-1]:%Y-%m-%d}; run the evaluation again"
        )
    return joined


def _of_span(trades: pd.DataFrame, span: Span, scale: float = 1.0) -> pd.DataFrame:
    """Trades closed in the span's own days; those of the burn-in are nobody's."""
    inside = (trades["close_date"] >= span.test_start) & (trades["close_date"] < span.test_end)
    sized = {name: trades.loc[inside, name] * scale for name in _MONEY} if scale != 1.0 else {}
    return trades[inside].assign(span=span.number, **sized)


def _joined_trades(spans: list[Span], results: list[JobResult]) -> pd.DataFrame:
    """Each span's trades, sized to the account that the spans before it have left."""
    value, parts = results[0].equity.iloc[0], []
    for span, result in zip(spans, results, strict=True):
        own = result.equity
        scale = value / own[span.test_start]
        parts.append(_of_span(result.trades, span, scale))
        value = scale * own[span.test_end]
    return pd.concat(parts).reset_index(drop=True)


def _numbered(trades: pd.DataFrame, spans: list[Span]) -> pd.DataFrame:
    return pd.concat([_of_span(trades, span) for span in spans]).reset_index(drop=True)
