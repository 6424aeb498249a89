"""`adaptive bench regimes`, on seeded metrics and on a folder's candles."""

import json

import pytest

from adaptive_pkg.bench import regimes as bench
from adaptive_pkg.bench.candle_choice import CandleChoice
from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import DataError
from adaptive_pkg.market.indicators import compute_indicators, startup_candles
from adaptive_pkg.market.regime import MarketRegimeDetector
from adaptive_pkg.settings import IndicatorSettings, RegimeSettings
from adaptive_pkg.simulator.candles import write_candles


def test_seeded_metrics_are_timed_and_shared_out(tmp_path, capsys):
    out = tmp_path / "out" / "regimes.json"
    assert bench.bench_regimes(20_000, out) == 0
    figures = json.loads(out.read_text())
    assert (figures["series"], figures["candles"]) == (["seeded"], 20_000)
    assert figures["candles_per_second"] > 0 and figures["time_ratio_to_cumsum"] > 0
    shares = figures["share_of_candles_pct"]
    assert set(shares) == set(Regime) and sum(shares.values()) == pytest.approx(100.0)
    printed = capsys.readouterr().out
    assert f"choppy {shares['choppy']:.1f} %" in printed.replace("\n", "")


def test_a_folders_candles_give_the_detectors_own_shares(tmp_path, random_candles):
    candles = random_candles(3000)
    write_candles({"BTC/USDT": candles, "ETH/USDT": random_candles(2500, seed=2)}, tmp_path, "1h")
    out = tmp_path / "regimes.json"
    assert bench.bench_regimes(1, out, CandleChoice(tmp_path, ["BTC/USDT"])) == 0
    figures = json.loads(out.read_text())
    settings = IndicatorSettings()
    need = startup_candles(settings)
    metrics = compute_indicators(candles, settings).iloc[need:].reset_index(drop=True)
    codes = MarketRegimeDetector(RegimeSettings()).detect(metrics).codes
    assert figures["candles"] == len(codes) == 3000 - need
    for regime in Regime:
        assert figures["share_of_candles_pct"][regime] == pytest.approx(100 * (codes == regime.code).mean())
    bench.bench_regimes(1, out, CandleChoice(tmp_path))
    figures = json.loads(out.read_text())
    assert (figures["series"], figures["candles"]) == (["BTC/USDT", "ETH/USDT"], 5500 - 2 * need)


def test_too_few_candles_are_an_error(tmp_path, random_candles):
    write_candles({"BTC/USDT": random_candles(100)}, tmp_path, "1h")
    with pytest.raises(DataError, match="100 candles; the indicators need more than"):
        bench.bench_regimes(1, None, CandleChoice(tmp_path))
    with pytest.raises(DataError, match="candles: 999 are too few to time"):
        bench.bench_regimes(999, None)
