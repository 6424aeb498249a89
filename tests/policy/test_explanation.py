"""The words about an entry say what the score was made of, no more and no less."""

import numpy as np
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.policy.confidence import ConfidenceScorer
from adaptive_pkg.policy.explanation import explain_entry
from adaptive_pkg.settings import AdaptiveSettings, ComponentSettings

SETTINGS = AdaptiveSettings()


@pytest.fixture
def row(quiet_frame):
    return quiet_frame(
        1, rsi=41.0, macd_hist=0.4, volume_ratio=1.6, regime_confidence=0.8, forecast_strength=0.2
    )


@pytest.mark.parametrize("side", [1, -1])
def test_the_score_is_the_frames_score(row, side):
    said = explain_entry(row, "strong_trend.pullback", side, SETTINGS)
    scored = ConfidenceScorer(SETTINGS.confidence).score(
        row, np.array([side]), np.array([0.8]), np.array([0.2])
    )
    assert said.score == scored.score[0]
    assert said.tier == ConfidenceScorer(SETTINGS.confidence).tier_multiplier(said.score)


def test_the_numbers_in_the_words_multiply_to_the_score(row):
    said = explain_entry(row, "strong_trend.pullback", 1, SETTINGS)
    weighted = sum(said.weights[name] * value for name, value in said.parts.items())
    assert said.score == pytest.approx(weighted * said.forecast_factor * said.regime_factor)
    assert said.text.startswith(f"strong_trend.pullback: confidence {said.score:.2f} = (volume 1.00×0.30, ")
    assert said.to_dict()["why"] == said.text
    assert said.to_dict()["part_volume"] == 1.0


def test_a_forecast_that_is_switched_off_is_not_in_the_words(row):
    off = SETTINGS.replaced({"components.forecast": False})
    assert explain_entry(row, "t", 1, off).forecast_factor == 1.0
    assert explain_entry(row, "t", 1, SETTINGS).forecast_factor > 1.0


def test_without_scoring_every_entry_is_full(row):
    off = AdaptiveSettings(components=ComponentSettings(confidence=False))
    said = explain_entry(row, "t", 1, off)
    assert (said.score, said.tier) == (1.0, 1.0)


def test_more_than_one_candle_or_an_unjudged_one_is_refused(row, quiet_frame):
    with pytest.raises(DataError, match="2 candles"):
        explain_entry(quiet_frame(2, regime_confidence=0.5), "t", 1, SETTINGS)
    with pytest.raises(DataError, match="regime_confidence"):
        explain_entry(quiet_frame(1), "t", 1, SETTINGS)


def test_what_past_candidates_taught_is_part_of_the_score_and_of_the_words(quiet_frame):
    row = quiet_frame(1, regime_confidence=0.5)
    plain = explain_entry(row, "t", 1, SETTINGS)
    said = explain_entry(row.assign(learned_effect=0.1), "t", 1, SETTINGS)
    assert said.score == pytest.approx(plain.score * 1.1)
    assert "past candidates 1.10" in said.text and "past candidates" not in plain.text
    assert said.to_dict()["learned_factor"] == pytest.approx(1.1)
