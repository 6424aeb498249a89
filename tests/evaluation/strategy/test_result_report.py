"""`adaptive report`: a page of any freqtrade result, with more in it where its candles are at hand."""

import json
import re
from datetime import UTC, datetime

import pandas as pd
import pytest
from rich.console import Console

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy.page import render_page
from adaptive_pkg.evaluation.strategy.result_file import read_result
from adaptive_pkg.evaluation.strategy.result_report import MARKET, report_result, result_data
from adaptive_pkg.evaluation.strategy.trading import trade_figures
from adaptive_pkg.forecast.targets import LOG_VOLATILITY, RETURN_SIGMA

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def sections(page):
    return re.findall(r'<section id="([^"]+)"', page)


def test_a_result_alone_stands_beside_the_market_it_holds(result_zip):
    result = read_result(result_zip())
    data = result_data(result, NOON)
    assert list(data["accounts"]) == ["AdaptiveGRU", MARKET]
    assert data["accounts"][MARKET]["performance"]["total"] == pytest.approx((1 + 0.2 / 63) ** 62 - 1)
    figures = trade_figures(result.trades, result.starting_balance, result.start, result.end)
    assert data["trades"]["figures"]["win_rate"]["value"] == figures.win_rate.value
    assert {"regime", "rule", "pair", "exit reason", "month", "hour"} <= set(data["attribution"])
    assert data["charts"] == []
    assert any("--datadir" in note for note in data["notes"])
    shown = sections(render_page(data))
    assert shown == [
        "account", "baselines", "luck", "trades", "attribution", "forecast-and-outcome", "drawdowns",
        "conditions",
    ]  # fmt: skip


def test_with_its_candles_come_baselines_charts_and_excursions(result_zip, lab_datadir, default_result):
    data = result_data(read_result(result_zip()), NOON, lab_datadir)
    assert list(data["accounts"]) == [
        "AdaptiveGRU", "buy and hold", "equal weight", "moving averages", "Donchian ensemble",
    ]  # fmt: skip
    whys = [chart["why"] for chart in data["charts"]]
    assert {"best", "worst"} <= set(whys)
    best = data["charts"][whys.index("best")]["trade"]
    assert best["profit_ratio"] == pytest.approx(default_result.trades["profit_ratio"].max())
    assert len(data["trades"]["excursions"]["mae"]) == len(default_result.trades)
    assert {"trades", "luck"} <= set(sections(render_page(data)))
    json.dumps(data, allow_nan=False)


def test_an_only_try_is_judged_as_one_and_says_so(result_zip):
    data = result_data(read_result(result_zip()), NOON)
    judged = data["luck"]["sharpe"]
    assert judged["trials"] == 1
    assert judged["answer"] == data["verdict"][1]
    assert "only try" in judged["answer"]
    assert "deflated" not in render_page(data).split("<script>")[0]


def test_a_strategy_of_others_has_no_regime_and_one_without_trades_a_page(result_zip):
    def foreign(content):
        for trade in content["strategy"]["AdaptiveGRU"]["trades"]:
            trade["enter_tag"] = "buy_signal"

    data = result_data(read_result(result_zip("backtest-result-a", foreign)), NOON)
    assert "regime" not in data["attribution"]
    assert [group["name"] for group in data["attribution"]["rule"]] == ["buy_signal"]

    def idle(content):
        stats = content["strategy"]["AdaptiveGRU"]
        stats.update(trades=[], final_balance=stats["starting_balance"])

    data = result_data(read_result(result_zip("backtest-result-b", idle, wallet=False)), NOON)
    assert data["accounts"]["AdaptiveGRU"]["performance"]["total"] == 0
    assert any("no trade" in note for note in data["notes"])
    assert "trades" not in sections(render_page(data))


def test_the_command_writes_page_and_figures_and_prints_the_verdict(result_zip, tmp_path):
    path = result_zip()
    console = Console(record=True, width=160, file=(tmp_path / "printed").open("w"))
    assert report_result(path, console, json_path=tmp_path / "all.json", clock=lambda: NOON) == 0
    data = json.loads((tmp_path / "all.json").read_text())
    assert path.with_suffix(".html").read_text() == render_page(data)
    assert data["verdict"][1] in console.export_text().replace("\n", " ")


def test_what_cannot_be_judged_is_told(result_zip, lab_datadir, tmp_path, console):
    def short(content):
        content["strategy"]["AdaptiveGRU"].update(backtest_end="2023-02-20 23:00:00")

    with pytest.raises(DataError, match="15 days"):
        result_data(read_result(result_zip("backtest-result-a", short)), NOON)
    other = read_result(
        result_zip(
            "backtest-result-b",
            lambda content: content["strategy"]["AdaptiveGRU"].update(pairlist=["BTC/USDT", "DOGE/USDT"]),
        )
    )
    with pytest.raises(DataError, match="DOGE/USDT: no candles"):
        result_data(other, NOON, lab_datadir)
    with pytest.raises(DataError, match="no candle folder"):
        result_data(other, NOON, tmp_path / "nowhere")
    with pytest.raises(DataError, match="do not cover"):
        later = read_result(
            result_zip(
                "backtest-result-c",
                lambda content: content["strategy"]["AdaptiveGRU"].update(backtest_end="2024-01-01 23:00:00"),
            )
        )
        result_data(later, NOON, lab_datadir)


def test_stored_predictions_stand_beside_what_came(result_zip, lab_market, lab_datadir, tmp_path):
    ahead = {"enabled": True, "identifier": "mine", "feature_parameters": {"label_period_candles": 12}}
    result = read_result(result_zip(freqai=ahead))
    config = {"user_data_dir": str(tmp_path)}
    data = result_data(result, NOON, lab_datadir, config)
    assert data["forecast"] is None
    assert any("forecast is not judged" in note and "no stored predictions" in note for note in data["notes"])

    folder = tmp_path / "models" / "mine" / "backtesting_predictions"
    folder.mkdir(parents=True)
    dates = lab_market["BTC/USDT"]["date"][1000:2000].reset_index(drop=True)
    nothing = pd.DataFrame({"date": dates, RETURN_SIGMA: 0.0, LOG_VOLATILITY: 0.0, "do_predict": 1})
    nothing.to_feather(folder / "cb_btc_1_prediction.feather")
    data = result_data(result, NOON, lab_datadir, config)
    (row,) = data["forecast"]["pairs"]
    assert row["return_mae_ratio"]["value"] == pytest.approx(1.0)
    page = render_page(data)
    assert "Forecast and price" in page
    assert f"{row['persistence_mape_pct']:.3f} %" in page
