"""FreqAI's contract for the ensemble, against the real FreqAI classes."""

from __future__ import annotations

import copy
import logging

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from freqtrade.exceptions import ConfigurationError
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from adaptive_pkg.forecast import LABELS
from adaptive_pkg.forecast.contract import EXTRA_RETURNS
from adaptive_pkg.forecast.ensemble import EnsembleForecaster

PAIR = "BTC/USDT"
START = pd.Timestamp("2022-02-15", tz="UTC")


@pytest.fixture
def make_ensemble_config(make_config):
    return lambda **freqai: {**make_config(**freqai), "freqaimodel": "EnsembleRegressor"}


@pytest.fixture
def backtest(make_ensemble_config, make_model, make_strategy, candles):
    """Run a FreqAI backtest; returns (frame as the strategy gets it, model)."""

    def run(frame=None, **freqai):
        config = make_ensemble_config(**freqai)
        model = make_model(config)
        source = candles if frame is None else frame
        return model.start(source.copy(), {"pair": PAIR}, make_strategy(config)), model

    return run


@pytest.fixture
def trained(make_ensemble_config, make_model, make_strategy, candles):
    """A model trained on the candles before START, its kitchen, and all candles with their features."""
    config = make_ensemble_config()
    model, strategy = make_model(config), make_strategy(config)
    dk = FreqaiDataKitchen(copy.deepcopy(config), False, PAIR)
    model.live, model.can_short = False, False
    model.dd.set_pair_dict_info({"pair": PAIR})
    frame = dk.use_strategy_to_populate_indicators(strategy, prediction_dataframe=candles, pair=PAIR)
    train_frame = strategy.set_freqai_targets(frame[frame["date"] < START].copy(), {"pair": PAIR})
    dk.find_features(train_frame)
    dk.find_labels(train_frame)
    dk.set_paths(PAIR, int(START.timestamp()))
    dk.set_new_model_names(PAIR, int(START.timestamp()))
    model.model = model.train(train_frame, PAIR, dk)
    return model, dk, strategy.set_freqai_targets(frame.copy(), {"pair": PAIR})


def test_a_backtest_predicts_every_candle_and_says_who_weighs_what(backtest, caplog):
    with caplog.at_level(logging.INFO):
        frame, _ = backtest()
    tested = frame["date"] >= START
    assert (frame.loc[tested, "do_predict"] == 1).all()
    assert not frame.loc[~tested, "do_predict"].any()
    assert frame.loc[tested, LABELS[1]].std() > 0
    assert set(EXTRA_RETURNS) <= set(frame.columns)
    assert (frame.loc[tested, "val_loss"] > 0).all()
    said = [record.message for record in caplog.records if record.message.startswith("Weights for")]
    assert len(said) == 2 * len(LABELS)  # two trainings
    assert all(member in said[0] for member in ("gru", "lstm", "ridge", "boosting", "mean"))


def test_slice_live_tail_and_whole_frame_predict_the_same(trained):
    model, dk, frame = trained
    whole, valid = model.predict(frame, dk)
    first = int(np.flatnonzero(frame["date"] >= START)[0])
    part, valid_part = model.predict(frame.iloc[first:], dk)
    pd.testing.assert_frame_equal(part, whole.iloc[first:].reset_index(drop=True))
    np.testing.assert_array_equal(valid_part, valid[first:])
    assert valid_part.all()
    for end in (first + 1, first + 20, len(frame)):
        tail, valid_tail = model.predict(frame.iloc[end - model.CONV_WIDTH : end], dk, first=False)
        assert valid_tail[-1] == 1
        assert tail.iloc[-1].tolist() == whole.iloc[end - 1].tolist()


def test_no_later_candle_reaches_a_prediction(backtest, candles):
    whole, _ = backtest(identifier="whole")
    changed = candles.copy()
    cut = int(np.flatnonzero(changed["date"] >= START + pd.Timedelta("30h"))[0])
    changed.loc[cut:, ["open", "high", "low", "close"]] *= 3.0
    other, _ = backtest(changed, identifier="other")
    columns = [*LABELS, "do_predict", "val_loss"]
    pd.testing.assert_frame_equal(whole.loc[: cut - 1, columns], other.loc[: cut - 1, columns])
    assert (whole.loc[cut:, LABELS[1]] != other.loc[cut:, LABELS[1]]).any()


def test_it_survives_being_saved_as_freqai_saves_it(trained, tmp_path):
    model, dk, frame = trained
    before, _ = model.predict(frame, dk)
    (tmp_path / "model.joblib").write_bytes(cloudpickle.dumps(model.model))
    model.model = cloudpickle.loads((tmp_path / "model.joblib").read_bytes())
    assert isinstance(model.model, EnsembleForecaster)
    after, _ = model.predict(frame, dk)
    pd.testing.assert_frame_equal(before, after)


def test_a_failed_training_gives_zeros_and_the_columns_stay(backtest, caplog):
    frame, _ = backtest(train_period_days=4)
    assert "raise train_period_days" in caplog.text
    assert not frame.loc[frame["date"] >= START, "do_predict"].any()
    assert set(EXTRA_RETURNS) <= set(frame.columns)


def test_an_identifier_of_the_gru_is_refused(make_config, make_ensemble_config, make_model):
    make_model(make_config())
    with pytest.raises(ConfigurationError, match=r"freqaimodel: GRURegressor → EnsembleRegressor"):
        make_model(make_ensemble_config())
