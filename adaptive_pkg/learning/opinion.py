"""`BookOpinion`: what the book of models says about new candidates, as the confidence asks for it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.candidates import closing_times
from adaptive_pkg.journal.context import candidate_context
from adaptive_pkg.journal.rules import rules_fingerprint
from adaptive_pkg.learning.book import ModelBook
from adaptive_pkg.learning.features import feature_matrix
from adaptive_pkg.settings import AdaptiveSettings

logger = logging.getLogger(__name__)


class BookOpinion:
    """A `LearnedOpinion` that reads the book anew when its file has changed.

    A book that is not there, cannot be read, or was learned from candidates of other rules or another
    timeframe says nothing (effect 0), and the log says so once.

    Args:
        settings: those traded by. path: the book's file; None: the settings'.
    """

    def __init__(
        self, settings: AdaptiveSettings, timeframe: str, timeframe_seconds: int, path: Path | None = None
    ):
        self._learning = settings.journal.learning
        self._rules, self._timeframe = rules_fingerprint(settings), timeframe
        self._seconds = timeframe_seconds
        self._path = Path(self._learning.book) if path is None else path
        self._read: tuple[int, int] | None = None  # time and size of the file that was read
        self._book: ModelBook | None = None
        self._said: set[str] = set()

    def effect(
        self,
        rows: pd.DataFrame,
        side: np.ndarray,
        regime_codes: np.ndarray,
        regime_confidence: np.ndarray,
        forecast_sigma: np.ndarray | None,
        library_score: np.ndarray | None,
    ) -> np.ndarray:
        """See `LearnedOpinion`: `confidence_weight` times the book's effect."""
        book = self._current()
        if book is None or not len(rows):
            return np.zeros(len(rows))
        context = candidate_context(rows, regime_confidence, forecast_sigma, library_score)
        x = feature_matrix(context, side, regime_codes)
        closed = closing_times(rows, self._seconds)
        return self._learning.confidence_weight * book.effect(x, regime_codes, closed, self._learning)

    def _current(self) -> ModelBook | None:
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_size)
        except OSError:
            seen = None
        if seen is None or seen != self._read:
            self._read = seen
            try:
                self._book = self._checked(ModelBook.load(self._path))
            except DataError as error:
                self._book = None
                if str(error) not in self._said:
                    self._said.add(str(error))
                    logger.warning("what was learned is not used: %s", error)
        return self._book

    def _checked(self, book: ModelBook) -> ModelBook:
        if (book.rules, book.timeframe) != (self._rules, self._timeframe):
            raise DataError(
                f"{self._path}: learned from candidates of other rules or another timeframe ({book.rules}, "
                f"{book.timeframe}; here {self._rules}, {self._timeframe}); write it anew with "
                "`adaptive journal learn`"
            )
        return book
