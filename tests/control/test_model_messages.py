"""FreqAI trains in a thread of its own: the owner hears of a new model when it forecasts."""

from __future__ import annotations

import pytest

from .conftest import PAIRS, running_bot

TINY = {
    "freqai": {
        "enabled": True,
        "identifier": "control",
        "train_period_days": 30,
        "live_retrain_hours": 2,
        "model_training_parameters": {"units": [4], "dense_units": 4, "epochs": 2},
    },
    "adaptive": {"messages": {"model_seconds": 0}},
}


@pytest.fixture(scope="module")
def learning(project_root, tmp_path_factory):
    with running_bot(project_root, tmp_path_factory.mktemp("learning"), TINY) as owner:
        yield owner


def trained(owner, times):
    """Wait until every pair's model has been trained that often."""
    owner.until(
        lambda: all(sum(f"Trained {p}" in x for x in owner.log_lines()) >= times for p in PAIRS), 60.0
    )


def told(owner, pair):
    return {text for text in owner.told() if text.startswith(f"{pair}: a newly trained model forecasts: ")}


def test_a_trained_model_is_told_with_its_skill_and_so_is_the_next_one(learning):
    for times in (1, 2):
        trained(learning, times)
        learning.hours_pass(3)
        learning.until(lambda n=times: all(len(told(learning, pair)) >= n for pair in PAIRS))
    for text in set().union(*(told(learning, pair) for pair in PAIRS)):
        assert "error on later candles " in text and "of a forecast of 0 " in text
        assert "skill over 0: return " in text and ", volatility " in text
    assert learning.telegram.refused == []
