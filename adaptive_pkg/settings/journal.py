"""Settings of the decision journal and of what is learned from it."""

from __future__ import annotations

from dataclasses import dataclass

from adaptive_pkg.settings.schema import Settings, param, section


@dataclass(frozen=True)
class LearningSettings(Settings):
    """Four models of what became of past candidates, and what they may do to the confidence."""

    confidence_weight: float = param(
        0.0,
        0.0,
        1.0,
        doc="largest relative change of the confidence by what was learned, times the weight the models "
        "have earned; 0: the models are not asked",
    )
    book: str = param("user_data/adaptive_learned.npz", doc="the models by date, as `journal learn` writes")
    first_days: int = param(365, 30, 3650, doc="days of candidates before the first models")
    retrain_days: int = param(91, 1, 365, doc="days between trainings")
    memory_days: int = param(1460, 90, 7300, doc="older candidates are forgotten")
    least_candidates: int = param(200, 50, 1_000_000, doc="fewer labelled candidates train nothing")
    full_win: float = param(0.10, 0.01, 0.5, doc="win probability above the past rate with full effect")
    full_r: float = param(0.25, 0.01, 5.0, doc="expected R above the past mean with full effect")


@dataclass(frozen=True)
class JournalSettings(Settings):
    """Every candidate entry, taken or refused, with its context and the reason."""

    enabled: bool = param(True, doc="write it while the bot trades, live or dry")
    path: str = param("user_data/adaptive_journal.sqlite", doc="the SQLite file")
    backtest: bool = param(False, doc="backtests write it too")
    learning: LearningSettings = section(LearningSettings)
