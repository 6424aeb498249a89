"""Live forecasts beside "the price stays", as FreqAI keeps them on disk."""

import json

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.errors import DataError
from adaptive_pkg.forecast.targets import LOG_VOLATILITY, RETURN_SIGMA, future_return_sigma
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.settings import AdaptiveSettings
from adaptive_pkg.upkeep.findings import Verdict
from adaptive_pkg.upkeep.freshness import PREDICTIONS
from adaptive_pkg.upkeep.inspection import Period
from adaptive_pkg.upkeep.model_skill import check_models, read_predictions

from .conftest import NOW, PAIRS

FREQAI = {"enabled": True, "identifier": "mine", "feature_parameters": {"label_period_candles": 12}}


@pytest.fixture
def predicted(tmp_path, market):
    """`predicted(scale, noise, trained_hours)`: what FreqAI wrote, each forecast the truth times `scale`."""

    def write(scale=1.0, noise=0.0, trained_hours=10.0):
        folder = tmp_path / "user_data" / "models" / "mine"
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(6)
        frames = {}
        for pair in PAIRS:
            frame = compute_indicators(market[pair], AdaptiveSettings().indicators)
            truth = future_return_sigma(frame["close"].to_numpy(), frame["sigma"].to_numpy(), 12)
            made = np.nan_to_num(scale * truth) + noise * rng.standard_normal(len(truth))
            frames[pair] = pd.DataFrame(
                {RETURN_SIGMA: made, LOG_VOLATILITY: 0.0, "do_predict": 1.0, "date_pred": frame["date"]}
            )
            frames[pair].loc[: len(made) - 1500, "do_predict"] = 0.0
        (folder / PREDICTIONS).write_bytes(cloudpickle.dumps(frames))
        trained = int((NOW - pd.Timedelta(hours=trained_hours)).timestamp())
        notes = {pair: {"trained_timestamp": trained, "data_path": "x"} for pair in PAIRS}
        (folder / "pair_dictionary.json").write_text(json.dumps(notes))
        return folder

    return write


def test_off_or_never_live_is_not_measured(seen):
    assert "FreqAI is off" in check_models(seen(period=Period.MONTHLY)).told
    found = check_models(seen(period=Period.MONTHLY, freqai=FREQAI))
    assert (found.measured, found.verdict) == (False, Verdict.OK) and "a backtest does not" in found.told


def test_forecasts_that_were_right_are_better_than_persistence(seen, datadir, predicted):
    predicted(0.5)
    found = check_models(seen(period=Period.MONTHLY, datadir=datadir, freqai=FREQAI))
    assert found.verdict is Verdict.OK
    value, low, high = found.figures["this month"]["return"]
    assert value == pytest.approx(0.5, abs=1e-6) and low <= value <= high
    assert found.figures["this month"]["direction"][0] == pytest.approx(1.0)
    # the last twelve candles' outcomes are not known yet
    assert found.figures["this month"]["predictions"] == len(PAIRS) * (30 * 24 - 12)
    # nor do the candles count for which the model had said that it cannot tell
    assert found.figures["before"]["predictions"] == len(PAIRS) * (1499 - 30 * 24)
    assert found.figures["since the last training"]["return"] is None  # ten hours are no sample


def test_forecasts_worse_than_none_are_to_be_switched_off(seen, datadir, predicted):
    predicted(-0.5, 0.2)
    found = check_models(seen(period=Period.MONTHLY, datadir=datadir, freqai=FREQAI))
    assert found.verdict is Verdict.ACT and "adaptive.components.forecast: false" in found.remedy


def test_a_model_that_says_nothing_is_neither(seen, datadir, predicted):
    predicted(0.0)
    found = check_models(seen(period=Period.MONTHLY, datadir=datadir, freqai=FREQAI))
    assert found.verdict is Verdict.OK and found.figures["this month"]["return"][0] == pytest.approx(1.0)
    assert found.figures["this month"]["direction"] is None


def test_a_training_that_is_overdue_is_told(seen, datadir, predicted):
    predicted(0.5, trained_hours=24 * 9)
    found = check_models(seen(period=Period.MONTHLY, datadir=datadir, freqai=FREQAI))
    assert found.verdict is Verdict.LOOK and "BTC/USDT 9 days" in found.told


def test_a_half_written_file_is_read_from_its_copy(predicted):
    folder = predicted(0.5)
    whole = (folder / PREDICTIONS).read_bytes()
    (folder / "historic_predictions.backup.pkl").write_bytes(whole)
    (folder / PREDICTIONS).write_bytes(whole[: len(whole) // 2])
    assert set(read_predictions(folder).frames) == set(PAIRS)
    (folder / "historic_predictions.backup.pkl").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        read_predictions(folder)
