"""The report finds an edge that is there, and says so only then."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.decision_report import sentences
from adaptive_pkg.evaluation.decision_skill import judge_learning, rank_ic
from adaptive_pkg.learning.features import FEATURES
from adaptive_pkg.learning.training import Sample, Target
from adaptive_pkg.learning.walk_forward import learn
from adaptive_pkg.settings import LearningSettings, load_settings

SETTINGS = load_settings({"adaptive": {"approach": "by_regime"}})
FEW = LearningSettings(first_days=300, retrain_days=150)
SETTINGS = replace(SETTINGS, journal=replace(SETTINGS.journal, learning=FEW))
HOUR_MS = 3_600_000


def market(edge, n=1300, seed=1):
    """Candidates every ten hours; wins follow the first feature."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(FEATURES)))
    won = rng.random(n) < 1 / (1 + np.exp(0.4 - edge * x[:, 0]))
    r = np.where(won, 1.5, -1.0)
    closed = 1_577_836_800_000 + 10 * HOUR_MS * np.arange(n)
    regime = rng.integers(0, 3, n)
    sample = Sample(
        x=x,
        y={
            Target.WIN: won.astype(float),
            Target.R: r,
            Target.HOLDING: rng.normal(2, 0.3, n),
            Target.EXCURSION: rng.normal(0.7, 0.1, n),
        },
        r=r,
        closed_ms=closed,
        known_ms=closed + 5 * HOUR_MS,
        ended_ms=np.full(n, closed[-1] + 50 * HOUR_MS),
        regime=regime,
    )
    confidence = rng.uniform(0.3, 0.9, n)
    rows = pd.DataFrame(
        {
            "pair": "BTC/USDT",
            "regime": [str(Regime.from_code(code)) for code in regime],
            "confidence": confidence,
            "reason": "",
            "closed_ms": closed,
        }
    )
    return rows, sample


def report(edge, **kwargs):
    rows, sample = market(edge, **kwargs)
    learned = learn(sample, FEW, int(sample.ended_ms.max()))
    return judge_learning(rows, sample, learned, SETTINGS, "1h")


def test_a_planted_edge_is_found_and_worth_money():
    found = report(edge=1.5)
    by_name = {model.target: model for model in found.models}
    assert by_name["win"].skill.low > 0.05
    assert by_name["r"].skill_within.low > 0.05
    assert by_name["holding"].skill.low < 0.01
    assert found.sides[-1].difference.low > 0.5
    assert found.calibration[0].win_rate < found.calibration[-1].win_rate - 0.2
    trusted = found.changes[1]
    assert trusted.dropped > 0
    assert trusted.added > 0
    assert trusted.r_added > trusted.r_dropped
    assert trusted.difference.low > 0
    assert "could be forecast: win probability, R." in sentences(found)[0]
    assert "better than those they spoke against" in sentences(found)[1]


def test_noise_is_called_noise():
    found = report(edge=0.0, seed=3)
    assert all(model.skill.low <= 0 for model in found.models)
    assert all(weight == 0 for one in found.earned for weight in one.weight.values())
    as_earned = found.changes[0]
    assert (as_earned.dropped, as_earned.added, as_earned.difference.value) == (0, 0, 0.0)
    assert sentences(found)[0].endswith("none.")
    assert sentences(found)[-1].startswith("A weight was earned at 0 of")


def test_only_what_no_model_has_seen_is_judged():
    found = report(edge=1.5)
    assert found.judged_from >= found.earned[0].valid_from
    assert found.n < found.candidates


def test_a_rank_correlation_is_spearmans():
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    y = x + rng.normal(size=400)
    found = rank_ic(x, y, np.arange(400) // 10)
    assert found.value == pytest.approx(pd.Series(x).corr(pd.Series(y), method="spearman"), abs=1e-9)
    assert found.low < found.value < found.high


def test_too_short_a_history_is_said():
    rows, sample = market(1.0, n=150)
    learned = learn(sample, FEW, int(sample.ended_ms.max()))
    with pytest.raises(DataError, match="0 are judged out of sample"):
        judge_learning(rows, sample, learned, SETTINGS, "1h")
