"""What one search is about: the candles, their folds, and the loss of one setting on one fold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from adaptive_pkg import __version__
from adaptive_pkg.errors import DataError, ForecastError
from adaptive_pkg.evaluation.forecast.folds import Fold
from adaptive_pkg.evaluation.forecast.models import LOG_VOL, RETURN, seen_labels
from adaptive_pkg.evaluation.forecast.panel import Panel
from adaptive_pkg.evaluation.forecast.runner import Plan
from adaptive_pkg.evaluation.forecast.store import code_digest
from adaptive_pkg.evaluation.tuning.space import SearchSpace
from adaptive_pkg.forecast.dataset import TrainingSpan
from adaptive_pkg.forecast.forecaster import RecurrentForecaster
from adaptive_pkg.forecast.windows import candle_step, complete_windows, timestamps
from adaptive_pkg.settings.forecast import ForecastSettings

FORMAT = 1  # of what a study stores
FEWEST_FOLDS = 2  # on either side: one fold has no standard error


@dataclass(frozen=True)
class FoldScore:
    """Out-of-sample squared errors of one fit over those of the zero forecast; below 1 is better than it.

    The zero forecast says: the price stays, volatility is at its long-run level.
    """

    pair: str
    fold: int
    rows: int
    return_mse_over_zero: float
    volatility_mse_over_zero: float

    @property
    def loss(self) -> float:
        return (self.return_mse_over_zero + self.volatility_mse_over_zero) / 2


@dataclass(frozen=True)
class TuningTask:
    """A search: `plan.forecaster` is the setting to beat; the last folds are kept from all trials."""

    plan: Plan
    space: SearchSpace
    seed: int
    held_out_share: float = 1 / 3

    def folds(self) -> tuple[dict[int, dict[str, Fold]], dict[int, dict[str, Fold]]]:
        """(folds of the search, held-out folds), each number → pair → fold, in time order.

        Raises:
            DataError: too few folds to search and to judge, or a pair that has none on one side.
        """
        numbered: dict[int, dict[str, Fold]] = {}
        for pair in self.plan.pairs:
            try:
                for fold in self.plan.folds(self.plan.panel(pair)):
                    numbered.setdefault(fold.number, {})[pair] = fold
            except DataError as error:
                raise DataError(f"{pair}: {error}") from None
        numbers = sorted(numbered)
        kept = max(round(len(numbers) * self.held_out_share), FEWEST_FOLDS)
        if len(numbers) - kept < FEWEST_FOLDS:
            raise DataError(
                f"{len(numbers)} folds of {self.plan.schedule.refit_days} days between "
                f"{self.plan.schedule.start:%Y-%m-%d} and {self.plan.schedule.end:%Y-%m-%d}: the search "
                f"and the check afterwards need {FEWEST_FOLDS} each; give a longer timerange or shorter folds"
            )
        search, held_out = numbers[:-kept], numbers[-kept:]
        for pair in self.plan.pairs:
            for name, part in (("to search on", search), ("to be judged on", held_out)):
                if not any(pair in numbered[number] for number in part):
                    raise DataError(
                        f"{pair}: no fold {name}; leave the pair out, get more candles, or move the timerange"
                    )
        return tuple({number: numbered[number] for number in part} for part in (search, held_out))

    @property
    def longest_window(self) -> int:
        return max(self.space.window[1], self.plan.forecaster.window)

    def score(self, pair: str, fold: Fold, settings: ForecastSettings) -> FoldScore:
        """Fit on what the fold may see and judge it on the fold's own candles. Raises ForecastError."""
        try:
            return _score(self.plan.panel(pair), fold, settings, self.longest_window)
        except ForecastError as error:
            raise ForecastError(f"{pair}, fold {fold.number}: {error}") from None

    def inputs(self) -> dict[str, Any]:
        """Everything a result depends on. A study of other inputs is another study."""
        data = {}
        for pair in self.plan.pairs:
            panel = self.plan.panel(pair)
            folds = self.plan.folds(panel)
            data[pair] = panel.digest(slice(folds[0].first, folds[-1].test_end))
        return {
            "version": __version__,
            "code": code_digest(),
            "candles": data,
            "timeframe": self.plan.timeframe,
            "horizon": self.plan.horizon,
            "schedule": {name: str(value) for name, value in asdict(self.plan.schedule).items()},
            "held_out_share": round(self.held_out_share, 6),
            "forecaster": asdict(self.plan.forecaster),
            "indicators": asdict(self.plan.indicators),
            "features": str(self.plan.features),
            "space": asdict(self.space),
            "seed": self.seed,
        }


def _score(panel: Panel, fold: Fold, settings: ForecastSettings, longest_window: int) -> FoldScore:
    features, dates = panel.features, panel.dates
    span = TrainingSpan.from_frames(
        features.iloc[fold.seen], seen_labels(panel, fold), dates.iloc[fold.seen], settings, panel.horizon
    )
    model = RecurrentForecaster.fit(span, settings)
    forecast = model.predict(features.iloc[fold.test], dates.iloc[fold.test])
    rows = scored_rows(panel, fold, longest_window)
    at = rows - fold.test_first
    if not forecast.valid[at].all():
        raise ForecastError(
            f"{(~forecast.valid[at]).sum()} of {len(at)} rows without a forecast; report this"
        )
    actual, values = panel.labels.to_numpy()[rows], forecast.values[at]
    ratios = np.square(values - actual).sum(axis=0) / np.square(actual).sum(axis=0)
    return FoldScore(panel.pair, fold.number, len(rows), float(ratios[RETURN]), float(ratios[LOG_VOL]))


def scored_rows(panel: Panel, fold: Fold, longest_window: int) -> np.ndarray:
    """Rows of the panel that judge a fold: the same for every window, no label that ends after the fold.

    Raises:
        ForecastError: there is none.
    """
    context = slice(max(fold.test_first - longest_window + 1, 0), fold.test_end)
    stamps = timestamps(panel.dates.iloc[context])
    usable = np.isfinite(panel.features.to_numpy()[context]).all(axis=1)
    known = complete_windows(usable, stamps, candle_step(stamps), longest_window)
    known &= np.isfinite(panel.labels.to_numpy()[context]).all(axis=1)
    rows = context.start + np.flatnonzero(known)
    rows = rows[(rows >= fold.test_first) & (rows < fold.test_end - panel.horizon)]
    if not len(rows):
        raise ForecastError(
            f"no candle with a complete window of {longest_window}; search shorter windows or longer folds"
        )
    return rows
