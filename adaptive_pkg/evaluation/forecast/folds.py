"""Purged walk-forward: train on a fixed span, forecast the next one, move on."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from adaptive_pkg.errors import DataError, SettingsError


@dataclass(frozen=True)
class Schedule:
    """When models are refitted, and what is kept from them.

    Args:
        start, end: the out-of-sample span, [start, end).
        train_days: history a model is fitted on. refit_days: length of one fold's out-of-sample span.
        embargo_candles: known labels left out before a fold besides the purged ones, whose future reaches
            into it (López de Prado, Advances in Financial Machine Learning, 2018, ch. 7).
    """

    start: pd.Timestamp
    end: pd.Timestamp
    train_days: int = 180
    refit_days: int = 182
    embargo_candles: int = 24

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise SettingsError(f"end: {self.end:%Y-%m-%d} is not after start ({self.start:%Y-%m-%d})")
        for name in ("train_days", "refit_days"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name}: {getattr(self, name)} days; give at least 1")
        if self.embargo_candles < 0:
            raise SettingsError(f"embargo_candles: {self.embargo_candles} is negative; give 0 or more")


@dataclass(frozen=True)
class Fold:
    """Rows of one refit: candles [first, test_first) are seen, labels only before `labels_end`."""

    number: int  # of the calendar, the same for every pair
    first: int
    labels_end: int
    test_first: int
    test_end: int

    @property
    def seen(self) -> slice:
        return slice(self.first, self.test_first)

    @property
    def test(self) -> slice:
        return slice(self.test_first, self.test_end)


def walk_forward(dates: pd.Series, schedule: Schedule, horizon: int, warm_up: int) -> list[Fold]:
    """Folds of one pair's candles. All pairs share the calendar; a pair joins once it has the history.

    Args:
        dates: (n,) strictly rising, without holes. horizon: candles a label looks ahead, all purged.
        warm_up: first candles without features.

    Raises:
        DataError: not one fold fits.
    """
    folds = []
    refit, train = pd.Timedelta(days=schedule.refit_days), pd.Timedelta(days=schedule.train_days)
    known_from = dates.iloc[min(warm_up, len(dates) - 1)]
    # a remainder shorter than half a fold lengthens the last one
    count = max(round((schedule.end - schedule.start) / refit), 1)
    for number in range(count):
        begins = schedule.start + number * refit
        ends = begins + refit if number < count - 1 else schedule.end
        first, test_first, test_end = (
            int(dates.searchsorted(moment)) for moment in (begins - train, begins, ends)
        )
        # the last `horizon` candles of a fold have labels only if the data go on after it
        if begins - train < known_from or test_end - test_first <= 2 * horizon:
            continue
        folds.append(
            Fold(number, first, test_first - horizon - schedule.embargo_candles, test_first, test_end)
        )
    if not folds:
        raise DataError(
            f"candles {dates.iloc[0]:%Y-%m-%d} – {dates.iloc[-1]:%Y-%m-%d} hold no fold of "
            f"{schedule.train_days} training and {schedule.refit_days} test days between "
            f"{schedule.start:%Y-%m-%d} and {schedule.end:%Y-%m-%d}; get earlier ones or lower train_days"
        )
    return folds
