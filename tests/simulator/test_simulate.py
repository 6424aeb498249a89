"""The venue on its own, as a user runs it: printed config, faults from a file, an end by signal."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime

import ccxt
import pytest

from adaptive_pkg.errors import DataError, VenueError
from adaptive_pkg.simulator.simulate import shifted_clock, simulate

from .conftest import START_MS

START = datetime.fromtimestamp(START_MS / 1000 + 6000, UTC)


def overlay_of(text):
    body = text[text.index("{") :]
    return json.JSONDecoder().raw_decode(body)[0]


def test_the_printed_config_lets_a_client_trade(walk_folder):
    out, found = io.StringIO(), {}

    def use_it():
        exchange = overlay_of(out.getvalue())["exchange"]
        client = ccxt.binance(
            {**exchange["ccxt_config"], "apiKey": exchange["key"], "secret": exchange["secret"]}
        )
        client.options["adjustForTimeDifference"] = True  # the test's process is on the wall's clock
        found["order"] = client.create_order("BTC/USDT", "market", "buy", 1)
        found["balance"] = client.fetch_balance()["total"]

    assert simulate(walk_folder, start=START, balances={"USDT": 777}, out=out, wait=use_it) == 0
    assert found["order"]["status"] == "closed" and found["balance"]["USDT"] < 777
    text = out.getvalue()
    assert "faketime -f '@2024-01-01 01:40:00 x1'" in text and "limits broken: none" in text


def test_a_fault_plan_from_a_file_is_at_work_and_the_config_can_go_to_a_file(walk_folder, tmp_path):
    plan, overlay, out = tmp_path / "plan.json", tmp_path / "overlay.json", io.StringIO()
    plan.write_text(json.dumps({"faults": [{"kind": "status", "where": "GET *", "status": 500}]}))

    def use_it():
        client = ccxt.binance(json.loads(overlay.read_text())["exchange"]["ccxt_config"])
        with pytest.raises(ccxt.ExchangeNotAvailable):
            client.fetch_time()

    simulate(walk_folder, faults=plan, overlay_path=overlay, out=out, wait=use_it)
    assert "{'status': 1}" in out.getvalue()
    assert stat.S_IMODE(overlay.stat().st_mode) == 0o600
    assert json.loads(overlay.read_text())["exchange"]["secret"] not in out.getvalue()


def test_a_clock_can_start_elsewhere_and_run_faster():
    wall = [1000]
    clock = shifted_clock(START_MS, 60.0, lambda: wall[0])
    wall[0] += 500
    assert clock() == START_MS + 30_000
    with pytest.raises(VenueError, match="speed: 0"):
        shifted_clock(START_MS, 0)


def test_a_missing_folder_or_plan_is_named_and_nothing_is_left_running(tmp_path, walk_folder):
    before = threading.active_count()
    with pytest.raises(DataError, match="nowhere"):
        simulate(tmp_path / "nowhere")
    with pytest.raises(VenueError, match=r"plan\.json"):
        simulate(walk_folder, faults=tmp_path / "plan.json")
    assert threading.active_count() == before


def test_a_signal_ends_it(walk_folder):
    code = "import sys; from adaptive_pkg.simulator.simulate import simulate; sys.exit(simulate(sys.argv[1]))"
    line = [sys.executable, "-c", code, str(walk_folder)]
    child = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=os.environ)
    for line in child.stdout:
        if line.startswith("Ctrl-C"):
            break
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=20)
    assert child.returncode == 0 and "0 requests" in out
