"""FreqAI's contract, point by point, against the real FreqAI classes."""

from __future__ import annotations

import copy
import json
import logging
import subprocess
import sys
import threading
from collections import deque

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from freqtrade.configuration import TimeRange
from freqtrade.enums import RunMode
from freqtrade.exceptions import ConfigurationError
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from adaptive_pkg.errors import ForecastError
from adaptive_pkg.forecast import LABELS, RecurrentForecaster
from adaptive_pkg.forecast.contract import EXTRA_RETURNS

PAIR, WINDOW = "BTC/USDT", 8
START = pd.Timestamp("2022-02-15", tz="UTC")


@pytest.fixture
def backtest(make_config, make_model, make_strategy, candles):
    """Run a FreqAI backtest; returns (frame as the strategy gets it, model)."""

    def run(frame=None, **freqai):
        config = make_config(**freqai)
        model = make_model(config)
        strategy = make_strategy(config)
        return model.start((candles if frame is None else frame).copy(), {"pair": PAIR}, strategy), model

    return run


@pytest.fixture
def trained(make_config, make_model, make_strategy, candles):
    """A model trained on the candles before START, its kitchen, and all candles with their features."""
    config = make_config()
    model, strategy = make_model(config), make_strategy(config)
    dk = kitchen(config)
    model.live, model.can_short = False, False
    model.dd.set_pair_dict_info({"pair": PAIR})
    frame = dk.use_strategy_to_populate_indicators(strategy, prediction_dataframe=candles, pair=PAIR)
    train_frame = strategy.set_freqai_targets(frame[frame["date"] < START].copy(), {"pair": PAIR})
    dk.find_features(train_frame)
    dk.find_labels(train_frame)
    dk.set_paths(PAIR, int(START.timestamp()))
    dk.set_new_model_names(PAIR, int(START.timestamp()))
    model.model = model.train(train_frame, PAIR, dk)
    frame = strategy.set_freqai_targets(frame.copy(), {"pair": PAIR})
    return model, dk, frame


def kitchen(config) -> FreqaiDataKitchen:
    return FreqaiDataKitchen(copy.deepcopy(config), False, PAIR)


def test_a_backtest_predicts_every_candle_of_its_range(backtest, caplog):
    with caplog.at_level(logging.INFO):
        frame, _ = backtest()
    tested = frame["date"] >= START
    assert (frame.loc[tested, "do_predict"] == 1).all()
    assert not frame.loc[~tested, "do_predict"].any()
    assert frame.loc[tested, LABELS[1]].std() > 0
    for label in LABELS:
        assert (frame.loc[tested, f"{label}_std"] > 0).all()
    assert "2 trains" in caplog.text and "later candles error" in caplog.text


def test_validation_errors_are_columns_beside_the_zero_forecast(backtest):
    frame, _ = backtest()
    tested = frame[frame["date"] >= START]
    assert set(EXTRA_RETURNS) <= set(frame.columns)
    for name in ("val_loss", "val_loss_zero", "interval_return", "interval_volatility"):
        assert (tested[name] > 0).all()
    assert tested["val_loss"].nunique() == 2  # one value per training


def test_slice_live_tail_and_whole_frame_predict_the_same(trained):
    model, dk, frame = trained
    whole, valid = model.predict(frame, dk)
    first = int(np.flatnonzero(frame["date"] >= START)[0])
    backtest_slice, valid_slice = model.predict(frame.iloc[first:], dk)
    pd.testing.assert_frame_equal(backtest_slice, whole.iloc[first:].reset_index(drop=True))
    np.testing.assert_array_equal(valid_slice, valid[first:])
    assert valid_slice.all()
    for end in (first + 1, first + 20, len(frame)):
        tail, valid_tail = model.predict(frame.iloc[end - model.CONV_WIDTH : end], dk, first=False)
        assert valid_tail[-1] == 1
        assert tail.iloc[-1].tolist() == whole.iloc[end - 1].tolist()
    one_row, _ = model.predict(frame.iloc[first : first + 1], dk)
    assert one_row.iloc[0].tolist() == whole.iloc[first].tolist()


def test_predictions_have_the_shape_freqai_expects(trained):
    model, dk, frame = trained
    predictions, do_predict = model.predict(frame.iloc[100:300], dk)
    assert predictions.columns.tolist() == dk.label_list
    assert predictions.index.equals(pd.RangeIndex(200))
    assert do_predict.shape == (200,) and np.issubdtype(do_predict.dtype, np.integer)
    assert dk.DI_values.shape == (200,)
    np.testing.assert_array_equal(dk.do_predict, do_predict)
    appended = dk.get_predictions_to_append(predictions, do_predict, frame.iloc[100:300].copy())
    assert not appended.isna().any().any()


def test_nan_is_not_predicted_over(trained):
    model, dk, frame = trained
    frame = frame.copy()
    frame.loc[frame.index[-50], "%-range"] = np.nan
    predictions, do_predict = model.predict(frame, dk)
    assert np.flatnonzero(do_predict[-100:] == 0).tolist() == list(range(50, 50 + WINDOW))
    assert not predictions.iloc[-50 : -50 + WINDOW].to_numpy().any()


def test_a_gap_is_not_predicted_over(trained):
    model, dk, frame = trained
    holed = frame.drop(frame.index[-60:-26])  # 34 hours without a candle
    _, do_predict = model.predict(holed, dk)
    assert np.flatnonzero(do_predict[-40:] == 0).tolist() == list(range(14, 14 + WINDOW - 1))


def test_candles_that_only_fill_an_outage_are_not_predicted_over(trained):
    model, dk, frame = trained
    filled = frame.copy()
    filled.loc[filled.index[-60:-26], "volume"] = 0.0
    _, do_predict = model.predict(filled, dk)
    assert np.flatnonzero(do_predict[-70:] == 0).tolist() == list(range(10, 44 + WINDOW - 1))


def test_training_leaves_out_windows_over_an_outage(backtest, candles):
    holed = candles.copy()
    holed.loc[500:533, "volume"] = 0.0
    holed.loc[500:533, ["open", "high", "low", "close"]] = holed.loc[499, "close"]
    frame, _ = backtest(holed)
    assert (frame.loc[frame["date"] >= START, "do_predict"] == 1).all()


def test_train_fills_what_save_needs_and_survives_a_new_process(trained, tmp_path):
    model, dk, frame = trained
    expected, valid = model.predict(frame, dk)
    model.dd.save_data(model.model, PAIR, dk)
    assert model.model_exists(dk)
    stored = dk.data_path / f"{dk.model_filename}_model.joblib"
    json.loads((dk.data_path / f"{dk.model_filename}_metadata.json").read_text())
    frame.to_pickle(tmp_path / "frame.pkl")
    code = """
import sys, cloudpickle, numpy as np, pandas as pd
with open(sys.argv[1], "rb") as file:
    model = cloudpickle.load(file)
frame = pd.read_pickle(sys.argv[2])
got = model.predict(frame[list(model.feature_names)], frame["date"])
assert "freqtrade" not in sys.modules and "tensorflow" not in sys.modules
np.save(sys.argv[3], np.column_stack([got.values, got.valid]))
"""
    arguments = [str(stored), str(tmp_path / "frame.pkl"), str(tmp_path / "got.npy")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    got = np.load(tmp_path / "got.npy")
    np.testing.assert_array_equal(got[:, :2], expected.to_numpy())
    np.testing.assert_array_equal(got[:, 2], valid)


def test_a_second_run_loads_the_stored_models_and_repeats_the_predictions(backtest, monkeypatch):
    first, model = backtest()
    for cached in (model.dd.full_path / "backtesting_predictions").glob("*.feather"):
        cached.unlink()
    monkeypatch.setattr(
        "adaptive_pkg.forecast.forecaster.train", lambda *_: pytest.fail("it trained instead of loading")
    )
    second, _ = backtest()
    pd.testing.assert_frame_equal(first, second)


def test_cached_predictions_are_read_with_a_one_row_feature_check(backtest):
    first, _ = backtest()
    second, _ = backtest()
    # FreqAI then leaves out what only the strategy's feature functions add, here `sigma`.
    pd.testing.assert_frame_equal(first.drop(columns="sigma"), second)


def test_training_again_gives_bit_equal_predictions_also_in_a_thread(trained):
    model, dk, frame = trained
    expected, _ = model.predict(frame, dk)
    train_frame = frame[frame["date"] < START].copy()
    known = model.model
    results = []
    thread = threading.Thread(target=lambda: results.append(model.train(train_frame.copy(), PAIR, dk)))
    thread.start()
    while_training, _ = model.predict(frame, dk)
    thread.join()
    assert model.model is known  # train() may not touch the model that the other thread predicts with
    pd.testing.assert_frame_equal(while_training, expected)
    again = model.train(train_frame.copy(), PAIR, dk)
    assert all(np.array_equal(a, b) for a, b in zip(results[0].weights, again.weights, strict=True))


def test_a_failed_training_gives_zeros_and_the_columns_stay(backtest, caplog):
    frame, _ = backtest(train_period_days=4)
    tested = frame[frame["date"] >= START]
    assert "raise train_period_days" in caplog.text
    assert not tested["do_predict"].any()
    assert set(EXTRA_RETURNS) <= set(frame.columns)


def test_no_later_candle_reaches_a_prediction(backtest, candles):
    whole, _ = backtest(identifier="whole")
    changed = candles.copy()
    cut = int(np.flatnonzero(changed["date"] >= START + pd.Timedelta("30h"))[0])
    changed.loc[cut:, ["open", "high", "low", "close"]] *= 3.0
    other, _ = backtest(changed, identifier="other")
    columns = [*LABELS, "do_predict", "val_loss"]
    pd.testing.assert_frame_equal(whole.loc[: cut - 1, columns], other.loc[: cut - 1, columns])
    assert (whole.loc[cut:, LABELS[1]] != other.loc[cut:, LABELS[1]]).any()


def test_live_predicts_the_last_candle_from_a_tail_of_conv_width(trained):
    """As build_strategy_return_arrays does it: the first call sees everything, later ones conv_width rows."""
    model, dk, frame = trained
    whole, _ = model.predict(frame, dk)
    model.live = True
    model.dk = dk
    first = frame.iloc[:-1].reset_index(drop=True)
    model.build_strategy_return_arrays(first, dk, PAIR, int(START.timestamp()))
    model.build_strategy_return_arrays(frame, dk, PAIR, int(START.timestamp()))
    returned = dk.return_dataframe
    assert returned["do_predict"].iloc[-1] == 1
    assert returned[LABELS[1]].iloc[-1] == whole[LABELS[1]].iloc[-1]
    assert returned["val_loss"].iloc[-1] == model.model.validation.loss
    assert returned[f"{LABELS[0]}_std"].iloc[-1] == model.model.label_deviations[0]


def test_columns_exist_before_the_first_training(make_config, make_model, candles, make_strategy):
    config = make_config()
    model = make_model(config)
    dk = FreqaiDataKitchen(config, True, PAIR)
    frame = dk.use_strategy_to_populate_indicators(
        make_strategy(config, RunMode.DRY_RUN), prediction_dataframe=candles, pair=PAIR
    )
    model.dd.return_null_values_to_strategy(frame, dk)
    assert not dk.return_dataframe[list(EXTRA_RETURNS)].any().any()


def test_metadata_of_another_training_is_not_mixed_with_the_model(trained):
    model, dk, frame = trained
    dk.data["labels_std"] = dict.fromkeys(LABELS, -1.0)
    dk.data["extra_returns_per_train"] = {"val_loss": -1.0}
    model.predict(frame, dk)
    assert dk.data["labels_std"][LABELS[0]] == model.model.label_deviations[0]
    assert dk.data["extra_returns_per_train"]["val_loss"] == model.model.validation.loss


def test_recent_candles_can_weigh_more(backtest):
    plain, _ = backtest(identifier="plain")
    weighted, _ = backtest(identifier="weighted", feature_parameters={"weight_factor": 0.2})
    assert (plain[LABELS[1]] != weighted[LABELS[1]]).any()


@pytest.mark.parametrize(
    ("freqai", "named"),
    [
        ({"conv_width": WINDOW - 1}, "freqai.conv_width: 7"),
        ({"data_split_parameters": {"shuffle": True}}, "data_split_parameters.shuffle"),
        ({"feature_parameters": {"buffer_train_data_candles": 5}}, "buffer_train_data_candles"),
        ({"model_training_parameters": {"n_estimators": 100}}, "n_estimators: unknown setting"),
    ],
)
def test_a_config_it_cannot_honour_stops_before_training(make_config, make_model, freqai, named):
    with pytest.raises(ConfigurationError, match=named):
        make_model(make_config(**freqai))


def test_two_pairs_with_one_base_coin_stop_before_training(make_config, make_model):
    config = make_config()
    config["exchange"]["pair_whitelist"] = [PAIR, "BTC/USDC"]
    with pytest.raises(ConfigurationError, match="share the base coin BTC"):
        make_model(config)


def test_a_dynamic_pairlist_cannot_bring_the_same_coin_in_later(trained):
    model, dk, frame = trained
    with pytest.raises(Exception, match="share the base coin BTC"):
        model.train(frame[frame["date"] < START], "BTC/USDC", dk)


def test_changed_settings_under_the_same_identifier_are_refused(make_config, make_model):
    make_model(make_config())
    make_model(make_config(live_retrain_hours=5))  # does not change a prediction
    with pytest.raises(
        ConfigurationError, match=r"'test' was trained with other settings .*epochs: 2 → 3.*change identifier"
    ):
        make_model(make_config(model_training_parameters={"epochs": 3}))
    make_model(make_config(identifier="new", model_training_parameters={"epochs": 3}))


def test_an_identifier_of_another_model_class_is_refused(make_config, make_model):
    config = make_config()
    (config["user_data_dir"] / "models" / "test" / "sub-train-BTC_1").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="holds models of another FreqAI model class"):
        make_model(config)


def test_a_constant_feature_is_an_error_that_names_it(trained):
    model, dk, frame = trained
    flat = frame[frame["date"] < START].copy()
    flat["%-range"] = 1.0
    with pytest.raises(ForecastError, match="%-range = 1 in all"):
        model.train(flat, PAIR, dk)


def test_an_identifier_whose_record_is_damaged_is_refused(make_config, make_model):
    model = make_model(make_config())
    (model.full_path / "forecaster.json").write_text('{"fingerprint": ')
    with pytest.raises(ConfigurationError, match=r"unreadable forecaster.json.*change identifier"):
        make_model(make_config())


@pytest.mark.parametrize("damage", ["cut", "noise", "another object", "another version"])
def test_a_stored_model_that_cannot_be_used_is_trained_anew(backtest, monkeypatch, caplog, damage):
    first, model = backtest()
    for cached in (model.dd.full_path / "backtesting_predictions").glob("*.feather"):
        cached.unlink()
    for file in model.dd.full_path.glob("sub-train-*/*_model.joblib"):
        stored = file.read_bytes()
        if damage == "another object":
            stored = cloudpickle.dumps({"weights": []})
        file.write_bytes({"cut": stored[: len(stored) // 2], "noise": b"\x00" * 99}.get(damage, stored))
    if damage == "another version":
        monkeypatch.setattr(RecurrentForecaster, "VERSION", 1)
        monkeypatch.setattr("adaptive_pkg.freqai.regressor.fingerprint", lambda _: "same")
        mark = model.full_path / "forecaster.json"
        mark.write_text(json.dumps({"fingerprint": "same", "inputs": {}}))
    with caplog.at_level(logging.INFO):
        second, _ = backtest()
    assert caplog.text.count("cannot be used") == 2 and "the pair is trained anew" in caplog.text
    pd.testing.assert_frame_equal(first, second)


def test_live_sets_an_unusable_model_aside_and_keeps_a_usable_one(trained, monkeypatch, caplog):
    model, dk, _ = trained
    model.dd.save_data(model.model, PAIR, dk)
    model.dd.pair_dict[PAIR]["trained_timestamp"] = 7
    seen = []
    monkeypatch.setattr(
        "freqtrade.freqai.freqai_interface.IFreqaiModel.start_live",
        lambda self, *_: seen.append(dict(self.dd.pair_dict[PAIR])),
    )
    model.dd.model_dictionary.clear()  # as after a restart of the bot
    model.start_live(None, {"pair": PAIR}, None, dk)
    stored = dk.data_path / f"{dk.model_filename}_model.joblib"
    stored.write_bytes(b"no pickle")
    model.start_live(None, {"pair": PAIR}, None, dk)
    assert seen[0]["model_filename"] and seen[0]["trained_timestamp"] == 7
    assert not seen[1]["model_filename"] and not seen[1]["trained_timestamp"]
    assert str(stored) in caplog.text and "change freqai.identifier" in caplog.text


def test_after_a_restart_the_model_before_a_damaged_one_serves(trained, monkeypatch):
    model, dk, frame = trained
    stamps = [int(START.timestamp()) + hours * 3600 for hours in (0, 24, 48)]
    for stamp in stamps:
        dk.set_paths(PAIR, stamp)
        dk.set_new_model_names(PAIR, stamp)
        model.dd.pair_dict[PAIR]["trained_timestamp"] = stamp
        model.dd.save_data(model.model, PAIR, dk)
    newest = dk.data_path / f"{dk.model_filename}_model.joblib"
    newest.write_bytes(newest.read_bytes()[:-100])
    expected, _ = model.predict(frame, dk)
    model.dd.model_dictionary.clear()
    model.dd.meta_data_dictionary.clear()
    monkeypatch.setattr(
        "freqtrade.freqai.freqai_interface.IFreqaiModel.start_live",
        lambda self, frame, metadata, strategy, dk: self.dd.load_data(metadata["pair"], dk),
    )
    live = FreqaiDataKitchen(model.config, True, PAIR)
    model.model = model.start_live(None, {"pair": PAIR}, None, live)
    assert model.dd.pair_dict[PAIR]["trained_timestamp"] == stamps[1]
    served, _ = model.predict(frame, live)
    pd.testing.assert_frame_equal(served, expected)


def test_a_failed_live_training_leaves_the_model_in_service(
    trained, make_strategy, candles, monkeypatch, caplog
):
    """FreqAI's own scanning thread, one round: too few candles this time."""
    model, dk, frame = trained
    model.dd.save_data(model.model, PAIR, dk)
    served = model.dd.model_dictionary[PAIR]
    before, _ = model.predict(frame, dk)
    strategy = make_strategy(model.config, RunMode.DRY_RUN)
    end = int(candles["date"].iloc[-1].timestamp())
    span = TimeRange("date", "date", end - 4 * 86_400, end)
    monkeypatch.setattr(FreqaiDataKitchen, "check_if_new_training_required", lambda *_: (True, span, span))
    monkeypatch.setattr(
        model.dd, "get_base_and_corr_dataframes", lambda *_: ({}, {PAIR: {"1h": candles}, "1h": candles})
    )
    monkeypatch.setattr(model.dd, "save_historic_predictions_to_disk", model._stop_event.set)
    monkeypatch.setattr("freqtrade.freqai.freqai_interface.time.sleep", lambda _: None)
    model.live, model.train_queue = True, deque([PAIR])
    recorded = dict(model.dd.pair_dict[PAIR])
    model._start_scanning(strategy)
    assert "ForecastError" in caplog.text and "raise train_period_days" in caplog.text
    assert model.dd.model_dictionary[PAIR] is served and model.dd.pair_dict[PAIR] == recorded
    after, _ = model.predict(frame, dk)
    pd.testing.assert_frame_equal(before, after)


@pytest.mark.parametrize("continual", [True, False])
def test_continual_learning_honours_freqais_switch_also_where_models_are_not_saved(
    backtest, monkeypatch, continual
):
    starts, fit = [], RecurrentForecaster.fit.__func__

    def recording(cls, span, settings, initial=None):
        starts.append(initial)
        return fit(cls, span, settings, initial)

    monkeypatch.setattr(RecurrentForecaster, "fit", classmethod(recording))
    backtest(continual_learning=continual, save_backtest_models=False)
    assert starts[0] is None
    assert (starts[1] is not None) is continual
