"""The summary of a backtest is right in every figure, on trades small enough to count by hand."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.forecast.fingerprint import FINGERPRINT_FILE
from adaptive_pkg.forecast.targets import LOG_VOLATILITY, RETURN_SIGMA, future_return_sigma
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.reports.backtest import ALL, report_backtest, results_by_regime
from adaptive_pkg.reports.forecast import score_predictions
from adaptive_pkg.settings import IndicatorSettings
from adaptive_pkg.simulator.candles import write_candles

TRADES = pd.DataFrame(
    {
        "enter_tag": ["strong_trend.breakout"] * 3 + ["choppy.pullback", "force_entry"],
        "profit_abs": [30.0, -10.0, 10.0, -5.0, 100.0],
        "profit_ratio": [0.03, -0.01, 0.01, -0.005, 0.1],
    }
)


def test_each_regime_is_counted_by_the_tag_of_its_entries():
    rows = {row.regime: row for row in results_by_regime(TRADES)}
    strong = rows["strong_trend"]
    assert (strong.trades, strong.total_profit_abs) == (3, 30.0)
    assert strong.win_rate_pct == pytest.approx(200 / 3)
    assert strong.profit_factor == pytest.approx(4.0)
    assert strong.expectancy_abs == pytest.approx(10.0)
    assert strong.mean_profit_pct == pytest.approx(1.0)
    # standard deviation of 3, -1, 1 is 2; 1.96 × 2 / √3
    assert strong.mean_profit_pct_ci95 == pytest.approx(1.96 * 2 / math.sqrt(3))
    assert rows["choppy"].profit_factor == 0.0
    assert rows["tight_range"].trades == 0


def test_the_last_row_holds_every_trade_also_those_of_foreign_tags():
    rows = results_by_regime(TRADES)
    assert [row.regime for row in rows] == [*Regime, ALL]
    assert rows[-1].trades == 5
    assert rows[-1].total_profit_abs == pytest.approx(125.0)


def test_without_a_loss_the_profit_factor_is_infinite():
    row = results_by_regime(TRADES[TRADES["profit_abs"] > 0])[0]
    assert row.profit_factor == math.inf


def test_a_missing_result_is_named(tmp_path):
    with pytest.raises(DataError, match="backtest_results: no backtest result there"):
        report_backtest(None, tmp_path, {"user_data_dir": str(tmp_path)}, None)


@pytest.fixture
def predicted(tmp_path, random_candles):
    """Stored predictions of 400 candles: `forecast(actual return in σ)` decides what the model said."""

    def make(forecast):
        candles = random_candles(1600, seed=3)
        write_candles({"BTC/USDT": candles}, tmp_path, "1h")
        frame = compute_indicators(candles, IndicatorSettings())
        actual = future_return_sigma(frame["close"], frame["sigma"], 12, frame["volume"])
        part = slice(1100, 1500)
        stored = pd.DataFrame(
            {
                "date": candles["date"][part],
                RETURN_SIGMA: forecast(actual[part]),
                LOG_VOLATILITY: 0.0,
                "do_predict": 1,
            }
        ).reset_index(drop=True)
        folder = tmp_path / "model" / "backtesting_predictions"
        folder.mkdir(parents=True)
        stored.iloc[:200].to_feather(folder / "cb_btc_1_prediction.feather")
        stored.iloc[200:].reset_index(drop=True).to_feather(folder / "cb_btc_2_prediction.feather")
        return score_predictions(
            tmp_path / "model",
            tmp_path,
            ["BTC/USDT"],
            "1h",
            horizon=12,
            start=candles["date"].iloc[0],
            end=candles["date"].iloc[-1],
            indicators=IndicatorSettings(),
        ).pairs[0]

    return make


def test_a_model_that_says_nothing_moves_is_persistence(predicted):
    score = predicted(np.zeros_like)
    assert score.predictions == 400
    assert score.return_mae_ratio.value == pytest.approx(1.0)
    assert score.price_mape_pct == pytest.approx(score.persistence_mape_pct)
    assert score.direction is None


def test_a_model_that_knows_the_future_has_no_error_and_is_always_right(predicted):
    score = predicted(lambda actual: actual)
    assert score.return_mae_ratio.value == pytest.approx(0.0, abs=1e-9)
    assert score.price_mape_pct == pytest.approx(0.0, abs=1e-6)
    assert score.direction.value == 1.0


def test_predictions_of_no_pair_are_an_error_that_says_where_they_were_sought(tmp_path):
    with pytest.raises(DataError, match=r"model: no stored predictions for BTC/USDT"):
        score_predictions(
            tmp_path / "model",
            tmp_path,
            ["BTC/USDT"],
            "1h",
            horizon=12,
            start=pd.Timestamp("2023-01-01", tz="UTC"),
            end=pd.Timestamp("2023-02-01", tz="UTC"),
            indicators=IndicatorSettings(),
        )


def test_predictions_made_on_other_candles_are_not_scored_on_these(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / FINGERPRINT_FILE).write_text(json.dumps({"inputs": {"datadir": str(tmp_path / "synthetic")}}))
    with pytest.raises(DataError, match=r"made on the candles in .*synthetic, not .*real"):
        score_predictions(
            model,
            tmp_path / "real",
            ["BTC/USDT"],
            "1h",
            horizon=12,
            start=pd.Timestamp("2023-01-01", tz="UTC"),
            end=pd.Timestamp("2023-02-01", tz="UTC"),
            indicators=IndicatorSettings(),
        )
