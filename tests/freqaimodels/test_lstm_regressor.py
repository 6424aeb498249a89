"""The LSTM goes through the GRU's adapter; what differs is the cell and that the two are kept apart."""

from __future__ import annotations

import pytest
from freqtrade.exceptions import ConfigurationError

from adaptive_pkg.forecast import LABELS
from adaptive_pkg.settings.forecast import Cell

PAIR = "BTC/USDT"


@pytest.fixture
def lstm_config(make_config):
    def make(**freqai):
        return {**make_config(**freqai), "freqaimodel": "LSTMRegressor"}

    return make


def test_a_backtest_predicts_with_lstm_cells(lstm_config, make_config, make_model, make_strategy, candles):
    frames = {}
    for config in (lstm_config(identifier="lstm"), make_config(identifier="gru")):
        model = make_model(config)
        frames[config["freqaimodel"]] = model.start(candles.copy(), {"pair": PAIR}, make_strategy(config))
    assert model.settings.cell is Cell.GRU
    lstm, gru = frames["LSTMRegressor"], frames["GRURegressor"]
    tested = lstm["do_predict"] == 1
    assert tested.sum() == 6 * 24
    assert lstm.loc[tested, LABELS[1]].std() > 0
    assert (lstm.loc[tested, LABELS[1]] != gru.loc[tested, LABELS[1]]).any()


def test_the_cell_may_be_named_but_not_contradicted(lstm_config, make_config, make_model):
    make_model(lstm_config(identifier="a", model_training_parameters={"cell": "lstm"}))
    with pytest.raises(ConfigurationError, match="'gru' contradicts LSTMRegressor"):
        make_model(lstm_config(identifier="b", model_training_parameters={"cell": "gru"}))
    with pytest.raises(ConfigurationError, match="'lstm' contradicts GRURegressor"):
        make_model(make_config(identifier="c", model_training_parameters={"cell": "lstm"}))


def test_models_of_the_two_do_not_share_an_identifier(lstm_config, make_config, make_model):
    make_model(make_config())
    with pytest.raises(ConfigurationError, match=r"freqaimodel: GRURegressor → LSTMRegressor"):
        make_model(lstm_config())
