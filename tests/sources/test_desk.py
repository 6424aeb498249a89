"""What the strategy uses, from end to end: services on this machine, the keeper, the store, columns."""

import asyncio
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from aiohttp import web

from adaptive_pkg.errors import DataError
from adaptive_pkg.settings.schema import parse
from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.sources.columns import SOURCE_COLUMNS
from adaptive_pkg.sources.desk import SourceDesk
from adaptive_pkg.store.observations import ObservationStore

ENVIRONMENT = {
    "ADAPTIVE_REDDIT_CLIENT_ID": "id",
    "ADAPTIVE_REDDIT_CLIENT_SECRET": "secret",
    "ADAPTIVE_X_BEARER_TOKEN": "token",
}
HOUR_MS = 3_600_000


class Services:
    """All five services behind one address. `broken`: paths that answer with an error."""

    def __init__(self):
        self.broken = set()
        self.asked = []

    async def __call__(self, request):
        now = datetime.now(UTC)
        midnight = int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
        kind = request.path.strip("/").split("/")[0]
        self.asked.append(kind)
        if kind in self.broken:
            return web.Response(text="down", status=500)
        query = request.query
        if kind == "fng":
            days = [{"value": "75", "timestamp": str(midnight - 86_400 * n)} for n in range(5)]
            return web.json_response({"data": days, "metadata": {"error": None}})
        if kind == "token":
            return web.json_response({"access_token": "t", "expires_in": 3600})
        if kind == "r":
            posts = [
                {"name": f"t3_{n}", "title": f"bullish {n}", "created_utc": now.timestamp() - 60 * n}
                for n in range(1, 20)
            ]
            children = [{"kind": "t3", "data": post} for post in posts]
            return web.json_response({"data": {"children": children, "after": None}})
        if kind == "2":
            at = (now - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            data = [{"id": str(n), "text": f"bearish crash {n}", "created_at": at} for n in range(20)]
            return web.json_response({"data": data, "meta": {"result_count": 20}})
        if kind == "timeseries":
            days = [datetime.fromtimestamp(midnight, UTC) - timedelta(days=n) for n in range(1, 12)]
            names = ("CapMVRVCur", "AdrActCnt", "FlowInExNtv", "FlowOutExNtv", "SplyCur")
            rows = [
                {"asset": "btc", "time": f"{day:%Y-%m-%dT00:00:00.000000000Z}", **dict.fromkeys(names, "2.5")}
                for day in reversed(days)
            ]
            return web.json_response({"data": rows})
        if kind == "fapi":
            first = max(int(query["startTime"]), (midnight - 40 * 86_400) * 1000)
            step = 8 * HOUR_MS
            times = range(-(-first // step) * step, int(now.timestamp() * 1000), step)
            rates = [{"fundingTime": t, "fundingRate": str(1e-4 * (1 + t // step % 3))} for t in times]
            return web.json_response(rates)
        assert kind == "futures"
        times = range(-(-int(query["startTime"]) // HOUR_MS) * HOUR_MS, int(query["endTime"]), HOUR_MS)
        return web.json_response([{"timestamp": t, "sumOpenInterest": "8e4"} for t in times])


@pytest.fixture
def services():
    """The services in a thread of their own: (object, address)."""
    services, ready, box = Services(), threading.Event(), {}

    async def live():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", services)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        box["url"] = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        box["end"], box["loop"] = asyncio.Event(), asyncio.get_running_loop()
        ready.set()
        await box["end"].wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    assert ready.wait(10)
    yield services, box["url"]
    box["loop"].call_soon_threadsafe(box["end"].set)
    thread.join(10)


@pytest.fixture
def settings(services, tmp_path):
    url = services[1]
    return parse(
        SourcesSettings,
        {
            "enabled": True,
            "path": str(tmp_path / "s.sqlite"),
            "polling": {"retry_seconds": 0.01, "attempts": 2},
            "fear_greed": {"url": url},
            "reddit": {"enabled": True, "url": url, "token_url": f"{url}/token"},
            "x": {"enabled": True, "url": url},
            "coin_metrics": {"url": url},
            "futures": {"url": url},
        },
        "adaptive.sources",
    )


def closing_now(hours=3):
    """Hourly candles; the last closes at the next full hour, after all that is known by now."""
    end = pd.Timestamp.now("UTC").floor("h")
    return pd.DataFrame({"date": pd.date_range(end=end, periods=hours, freq="h"), "close": 1.0})


def wait_for(desk, condition):
    end = time.monotonic() + 40
    while not condition(row := desk.add_columns(closing_now(), "BTC").iloc[-1]):
        assert time.monotonic() < end, f"nothing came: {row}"
        time.sleep(0.05)
    return row


def test_everything_arrives_in_the_candle_that_closes_next_and_in_none_before_it(settings):
    desk = SourceDesk(settings, 3600)
    desk.start(["BTC"], ENVIRONMENT)
    row = wait_for(desk, lambda row: row[[f"{name}_known" for name in SOURCE_COLUMNS]].all())
    assert row["fear_greed"] == 0.5 and row["mvrv"] == 2.5 and row["net_inflow"] == 0
    assert row["reddit"] > 0.3 and row["x"] < -0.3 and abs(row["funding_z"]) < 2
    assert row["sentiment"] == pytest.approx(0.4 * row["x"] + 0.3 * row["reddit"] + 0.15)
    before = desk.add_columns(closing_now(), "BTC").iloc[-2]
    assert np.isnan(before["x"]) and np.isnan(before["reddit"])  # they were read just now
    desk.beat()
    desk.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "source-keeper"]


def test_one_service_that_is_down_leaves_the_others_alone(services, settings):
    services[0].broken |= {"2", "timeseries"}
    desk = SourceDesk(settings, 3600)
    desk.start(["BTC"], ENVIRONMENT)
    row = wait_for(
        desk, lambda row: row["reddit_known"] and row["funding_z_known"] and row["fear_greed_known"]
    )
    assert not row["x_known"] and not row["mvrv_known"]
    assert row["sentiment"] == pytest.approx((0.3 * row["reddit"] + 0.15) / 0.6)
    desk.stop()
    with ObservationStore(settings.path) as store:
        failed = {poll.source: poll.message for poll in store.polls() if poll.failures}
    assert set(failed) == {"x", "coin_metrics"} and "HTTP 500" in failed["x"]


def test_off_opens_nothing_and_asks_nothing(tmp_path):
    path = tmp_path / "s.sqlite"
    desk = SourceDesk(SourcesSettings(path=str(path)), 3600)
    desk.start(["BTC"], {})
    desk.beat()
    frame = desk.add_columns(closing_now(), "BTC")
    assert frame[list(SOURCE_COLUMNS)].isna().all(axis=None) and not path.exists()
    desk.stop()


def test_a_store_that_is_damaged_at_the_start_is_told_and_later_is_neutral(tmp_path, caplog):
    path = tmp_path / "s.sqlite"
    settings = SourcesSettings(enabled=True, path=str(path))
    desk = SourceDesk(settings, 3600)
    assert "is empty" in caplog.text
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE observations")
    connection.close()
    for _ in range(3):
        frame = desk.add_columns(closing_now(), "BTC")
        assert frame[list(SOURCE_COLUMNS)].isna().all(axis=None)
    assert caplog.text.count("outside data are neutral: ") == 1
    desk.stop()
    path.write_bytes(b"garbage" * 4096)
    with pytest.raises(DataError, match="cannot be used"):
        SourceDesk(settings, 3600)
