"""Whether any of several accounts beats a benchmark, when all that were tried are counted: SPA and StepM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from arch.bootstrap import SPA

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.bootstrap import SEED, block_length
from adaptive_pkg.evaluation.strategy.performance import LEAST_DAYS

REPETITIONS = 1000
SIZE = 0.05


@dataclass(frozen=True)
class Snooping:
    """p: of "no account is better than the benchmark", all counted. better: those that are, at 5 %."""

    benchmark: str
    accounts: int
    p: float
    better: tuple[str, ...]
    block_days: float

    @property
    def passed(self) -> bool:
        return self.p < SIZE

    @property
    def answer(self) -> str:
        """One plain sentence."""
        if self.passed and self.better:
            return f"Better than {self.benchmark}, all {self.accounts} counted: {', '.join(self.better)}."
        return f"No evidence that any of {self.accounts} is better than {self.benchmark} (p = {self.p:.2f})."


def superiority(
    accounts: pd.DataFrame,
    benchmark: pd.Series | None = None,
    *,
    equal_risk: bool = True,
    seed: int = SEED,
    repetitions: int = REPETITIONS,
) -> Snooping:
    """Superior predictive ability (Hansen 2005, consistent) and StepM (Romano & Wolf 2005).

    Both compare mean daily returns, on stationary-bootstrap draws of the days.

    Args:
        accounts: (n, accounts) daily returns. benchmark: (n,) the same days; None is cash, 0 a day.
        equal_risk: scale every account to a deviation of 1 % a day first, so that staking more is not better.

    Raises:
        DataError: no account, too few days, different days, or a number that is not finite.
    """
    name = "cash" if benchmark is None else str(benchmark.name or "the benchmark")
    base = pd.Series(0.0, accounts.index) if benchmark is None else benchmark
    if accounts.empty or len(accounts) < LEAST_DAYS or len(base) != len(accounts):
        raise DataError(
            f"superiority test: {accounts.shape[1]} accounts of {len(accounts)} days beside {len(base)} "
            f"days; give at least one account and {LEAST_DAYS} days, the same for all"
        )
    if not (np.isfinite(accounts.to_numpy()).all() and np.isfinite(base.to_numpy()).all()):
        raise DataError("superiority test: a return is not a number")
    tried, against = (accounts.apply(_equal_risk), _equal_risk(base)) if equal_risk else (accounts, base)
    # an account that is the benchmark, or never moved beside it, has no test statistic
    tried = tried[[c for c in tried if (tried[c] - against).std() > 1e-12]]
    if tried.empty:
        return Snooping(name, accounts.shape[1], 1.0, (), 1.0)
    gap = tried.sub(against, axis=0)
    # arch's `studentize` does not reach the statistic: the wildest gap would decide alone
    gap = gap / gap.std()
    block = max(1, round(block_length(gap.to_numpy())))
    spa = SPA(np.zeros(len(gap)), -gap.to_numpy(), block_size=block, reps=repetitions, seed=seed)
    spa.compute()
    p = float(spa.pvalues["consistent"])
    better = tuple(str(tried.columns[at]) for at in sorted(_stepwise(spa, tried.shape[1])))
    return Snooping(name, accounts.shape[1], p, better, float(block))


def _stepwise(spa: SPA, count: int) -> set[int]:
    """Take out what is better, test the rest, until nothing is; arch's StepM fails where all are better."""
    found: set[int] = set()
    while new := {int(at) for at in spa.better_models(SIZE)} - found:
        found |= new
        if len(found) == count:
            break
        spa.subset(np.array([at not in found for at in range(count)]))
        spa.compute()
    return found


def _equal_risk(returns: pd.Series) -> pd.Series:
    deviation = returns.std()
    return returns / deviation * 0.01 if deviation > 1e-14 else returns * 0.0
