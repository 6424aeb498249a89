"""A label is the candidate's own trade walked to its end, and known only when that is past."""

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.evaluation.entries import candidate_entries, plan_entries
from adaptive_pkg.evaluation.outcomes import walk_entries
from adaptive_pkg.learning.labels import NEVER_MS, label_candidates
from adaptive_pkg.learning.rehearsed import rehearse
from adaptive_pkg.settings import load_settings

SETTINGS = load_settings({"adaptive": {"approach": "by_regime"}})
HOUR_MS = 3_600_000


@pytest.fixture
def candles(random_candles):
    return random_candles(n=2600, seed=3)


def labelled_of(candles, settings=SETTINGS):
    rows = rehearse("BTC/USDT", "1h", 3600, candles, settings, can_short=True)
    return rows, label_candidates(rows, candles, 3600, settings)


def test_taken_and_refused_get_what_the_strategys_stops_would_have_made_of_them(candles):
    _, labelled = labelled_of(candles)
    assert {"taken", "refused"} == set(labelled["decision"])
    path, entries = candidate_entries(candles, SETTINGS, can_short=True)
    outcomes = walk_entries(path, entries, plan_entries(path, entries, SETTINGS))
    closed = (path.date[entries.row] + np.timedelta64(1, "h")).astype("datetime64[ms]").astype(np.int64)
    both = pd.DataFrame(
        {"closed_ms": closed, "theirs": outcomes.r, "mae": outcomes.mae / outcomes.stop_fraction}
    )
    merged = labelled.merge(both, on="closed_ms")
    assert len(merged) > 50
    np.testing.assert_allclose(merged["r"], merged["theirs"])
    np.testing.assert_allclose(merged["mae_r"], merged["mae"])
    np.testing.assert_array_equal(merged["won"], merged["r"] > 0)


def test_an_outcome_is_known_when_its_last_candle_has_closed_and_never_before(candles):
    _, whole = labelled_of(candles)
    done = whole["known_ms"] < NEVER_MS
    waited = (whole["known_ms"] - whole["closed_ms"])[done] // HOUR_MS
    np.testing.assert_array_equal(waited, whole["holding_candles"][done] + 1)

    cut = len(candles) - 400
    _, part = labelled_of(candles.head(cut))
    cut_ms = int(candles["date"].iloc[cut - 1].timestamp()) * 1000 + HOUR_MS
    part = part.set_index(["closed_ms", "side"])
    same = whole[whole["known_ms"] <= cut_ms].set_index(["closed_ms", "side"])
    assert len(same) > 50
    for name in ("r", "mae_r", "holding_candles", "known_ms"):
        np.testing.assert_array_equal(part.loc[same.index, name], same[name])
    still_open = whole[(whole["closed_ms"] < cut_ms) & (whole["known_ms"] > cut_ms)]
    later = part.reindex(pd.MultiIndex.from_frame(still_open[["closed_ms", "side"]])).dropna(subset=["r"])
    assert (later["known_ms"] == NEVER_MS).all()


def test_candidates_without_their_candle_or_that_could_not_be_entered_are_left_out(candles):
    rows, labelled = labelled_of(candles)
    assert len(labelled) <= len(rows)
    elsewhere = rows.assign(closed_ms=rows["closed_ms"] + 1)
    assert label_candidates(elsewhere, candles, 3600, SETTINGS).empty
    far = candles.copy()
    first = rows["closed_ms"].iloc[0]
    after = (candles["date"].astype("datetime64[ms, UTC]").astype("int64") == first).to_numpy()
    far.loc[after, ["open", "high"]] *= 1.5  # the next open has run away
    found = label_candidates(rows.iloc[[0]], far, 3600, SETTINGS)
    assert found.empty


def test_a_held_trend_is_labelled_by_its_own_exit(candles):
    holding = load_settings({"adaptive": {"approach": "hold_trend"}})
    rows, labelled = labelled_of(candles, holding)
    assert len(labelled)
    assert set(rows["rule"]) == {"trend"}
    assert labelled["holding_candles"].mean() > 24
