"""A text's tone from −1 (bad) to 1 (good): VADER with a finance lexicon, or FinBERT."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.sentiment.lexicon import FINANCE_LEXICON
from adaptive_pkg.settings.sources import ScorerKind

logger = logging.getLogger(__name__)

FINBERT_MODEL = "ProsusAI/finbert"
_BATCH = 16


class TextScorer(Protocol):
    """Reads texts."""

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The tone of each, (n,) in [−1, 1]. Raises SourceError when it cannot read at all."""
        ...


class VaderScorer:
    """VADER's compound score (Hutto & Gilbert 2014) with finance words. Offline, about 10 µs a word.

    Args:
        lexicon: words to add or to replace, −4 to 4.
    """

    def __init__(self, lexicon: dict[str, float] = FINANCE_LEXICON):
        try:
            from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
        except ImportError as error:
            raise SourceError(
                Failure.REFUSED, "texts cannot be read: install vaderSentiment==3.3.2"
            ) from error
        self._analyzer = SentimentIntensityAnalyzer()
        self._analyzer.lexicon.update(lexicon)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The compound score of each; 0 for a text without a known word."""
        return np.array([self._analyzer.polarity_scores(text)["compound"] for text in texts], dtype=float)


class FinbertScorer:
    """FinBERT (Araci 2019): P(positive) − P(negative). The model is fetched and loaded at first use.

    Args:
        model: its name at Hugging Face, or a folder that holds it.
        make_pipeline: `transformers.pipeline`, or another of its form.
    """

    def __init__(self, model: str = FINBERT_MODEL, make_pipeline: Callable[..., Any] | None = None):
        self._model, self._make = model, make_pipeline
        self._pipeline: Any = None
        self._lock = threading.Lock()

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Raises SourceError: transformers is missing, the model cannot be had, or it answers oddly."""
        if not texts:
            return np.array([])
        answers = self._load()(list(texts), top_k=None, truncation=True, batch_size=_BATCH)
        tones = []
        for answer in answers:
            try:
                chance = {str(row["label"]).lower(): float(row["score"]) for row in answer}
                tones.append(chance["positive"] - chance["negative"])
            except (KeyError, TypeError, ValueError) as error:
                raise SourceError(
                    Failure.MALFORMED,
                    f"{self._model} answers {str(answer)[:120]!r}; it needs the labels positive and negative",
                ) from error
        return np.array(tones)

    def _load(self) -> Any:
        with self._lock:
            if self._pipeline is None:
                make = self._make
                if make is None:
                    try:
                        from transformers import pipeline as make
                    except ImportError as error:
                        raise SourceError(
                            Failure.REFUSED,
                            "FinBERT needs the packages transformers and torch; install them, "
                            'or set sources.scorer to "vader"',
                        ) from error
                logger.info("loading %s; the first time it is fetched (about 440 MB)", self._model)
                try:
                    self._pipeline = make("text-classification", model=self._model)
                except (OSError, ValueError, RuntimeError) as error:
                    raise SourceError(
                        Failure.DOWN,
                        f"{self._model} cannot be loaded ({error}); check the network, "
                        'or set sources.scorer to "vader"',
                    ) from error
        return self._pipeline


def make_scorer(kind: ScorerKind) -> TextScorer:
    """The scorer that the settings name. Raises SourceError when VADER is not installed."""
    return FinbertScorer() if kind is ScorerKind.FINBERT else VaderScorer()
