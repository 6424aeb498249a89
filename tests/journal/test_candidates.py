"""A row says everything that was known of a candidate when its candle closed, and nothing of later."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.journal.candidates import COLUMNS, asked_at, candidate_rows, closing_times
from adaptive_pkg.journal.context import CONTEXT
from adaptive_pkg.policy.confidence import ConfidenceScorer
from adaptive_pkg.policy.decision import Refusal
from adaptive_pkg.settings import load_settings

HOUR = 3600


def rows_of(frame, judgement, at=None):
    return candidate_rows("BTC/USDT", "1h", HOUR, frame, judgement, at)


def test_taken_and_refused_candidates_are_there_with_reason_context_and_score(judged):
    frame, judgement = judged()
    rows = rows_of(frame, judgement)
    assert list(rows.columns) == list(COLUMNS)
    assert {"taken", "refused"} == set(rows["decision"])
    taken = rows["decision"] == "taken"
    assert (rows["reason"][taken] == "").all()
    assert set(rows["reason"][~taken]) <= {str(Refusal.LOW_CONFIDENCE), str(Refusal.THIN_VOLUME)}
    # the vote was not asked, and a daily trend needs 50 days
    known = [name for name in CONTEXT if name not in ("library_score", "trend_1d")]
    assert len(known) >= 12
    assert np.isfinite(rows[known].to_numpy()).all()
    assert rows["trend_1d"].notna().any()
    assert set(rows["side"]) == {1, -1}


def test_the_score_is_what_its_parts_and_factors_make(judged, settings):
    rows = rows_of(*judged())
    base = sum(weight * rows[f"part_{name}"] for name, weight in settings.confidence.weights.items())
    factors = (
        rows["forecast_factor"] * rows["regime_factor"] * rows["library_factor"] * rows["learned_factor"]
    )
    np.testing.assert_allclose(rows["confidence"], np.clip(base * factors, 0, 1))


def test_rows_are_those_of_the_candles_that_asked(judged):
    frame, judgement = judged()
    at = asked_at(judgement)
    rows = rows_of(frame, judgement)
    assert (rows["closed_ms"].to_numpy() == closing_times(frame, HOUR)[at]).all()
    first = pd.Timestamp(rows["closed_ms"].iloc[0], unit="ms", tz="UTC")
    assert first == frame["date"].iloc[at[0]] + pd.Timedelta(hours=1)
    np.testing.assert_array_equal(rows["price"], frame["close"].to_numpy()[at])
    np.testing.assert_array_equal(rows["side"], judgement.decisions.candidates.side[at])
    np.testing.assert_array_equal(rows["forecast_sigma"], frame["forecast_strength"].to_numpy()[at])
    np.testing.assert_array_equal(rows["confidence"], judgement.decisions.confidence[at])


def test_one_candle_alone_gives_the_row_that_the_whole_frame_gives(judged):
    frame, judgement = judged()
    whole = rows_of(frame, judgement)
    for i, at in list(enumerate(asked_at(judgement)))[::25]:
        alone = rows_of(frame, judgement, np.array([at]))
        pd.testing.assert_frame_equal(alone.reset_index(drop=True), whole.iloc[[i]].reset_index(drop=True))


def test_a_rule_that_asks_all_along_a_trend_is_asked_once_and_once_when_it_would_be_taken(judged):
    strict = {str(regime): {"confidence_threshold": 0.7} for regime in Regime}
    holding = load_settings({"adaptive": {"approach": "hold_trend", "presets": strict}})
    _, judgement = judged(3500, holding)
    side, taken = judgement.decisions.candidates.side, judgement.decisions.side != 0
    at = asked_at(judgement)
    assert 0 < len(at) < 0.1 * (side != 0).sum()
    begins = np.flatnonzero((side != 0) & (np.roll(side, 1) != side))
    assert set(begins) <= set(at)
    assert set(at) > set(begins)
    for i in set(at) - set(begins):  # in the middle: the first that was taken
        start = begins[begins < i].max()
        assert taken[i]
        assert not taken[start:i].any()


def test_a_candle_without_a_candidate_has_no_row(judged):
    frame, judgement = judged()
    quiet = int(np.flatnonzero(judgement.decisions.candidates.side == 0)[0])
    with pytest.raises(DataError, match=f"candle {quiet} has no candidate"):
        rows_of(frame, judgement, np.array([quiet]))


def test_with_the_confidence_switched_off_there_is_no_breakdown(judged):
    off = load_settings({"adaptive": {"approach": "by_regime", "components": {"confidence": False}}})
    rows = rows_of(*judged(2500, off))
    assert rows["part_rsi"].isna().all()
    assert (rows["confidence"] == 1).all()


def test_later_candles_change_no_row(judged):
    frame, judgement = judged(2500)
    early = rows_of(*judged(2200))
    late = rows_of(frame, judgement).iloc[: len(early)]
    pd.testing.assert_frame_equal(late, early)


def test_the_breakdown_is_the_scorers_own(judged, settings):
    frame, judgement = judged()
    wanted = np.flatnonzero(judgement.decisions.candidates.side)
    scored = ConfidenceScorer(settings.confidence).score(
        frame.iloc[wanted],
        judgement.decisions.candidates.side[wanted],
        judgement.regimes.confidence[wanted],
        frame["forecast_strength"].to_numpy()[wanted],
    )
    np.testing.assert_array_equal(scored.score, judgement.decisions.breakdown.score)
