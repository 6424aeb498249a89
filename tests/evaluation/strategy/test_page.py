"""The report as its reader meets it: whole in one file, drawn in a browser, light and dark, on a phone."""

import json
import re
import shutil
import subprocess
from copy import deepcopy
from datetime import UTC, datetime
from html import escape, unescape

import numpy as np
import pytest
from plotly.offline import get_plotlyjs
from rich.console import Console

from adaptive_pkg.errors import DataError
from adaptive_pkg.evaluation.strategy import page_charts
from adaptive_pkg.evaluation.strategy.ablation import effects
from adaptive_pkg.evaluation.strategy.evaluate import Request
from adaptive_pkg.evaluation.strategy.lab import evaluate_strategy
from adaptive_pkg.evaluation.strategy.page import render_page, write_page
from adaptive_pkg.evaluation.strategy.report_data import plain, read_report_data
from adaptive_pkg.evaluation.strategy.result_report import report_result

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--virtual-time-budget=15000", "--enable-logging=stderr", "--dump-dom"),
)
SECTIONS = ("account", "baselines", "costs", "components", "claims", "luck", "trades", "attribution",
            "forecast-and-outcome", "drawdowns", "conditions")  # fmt: skip


@pytest.fixture(scope="module")
def evaluated(lab_config, lab_datadir, project_root, tmp_path_factory):
    """A folder with a finished evaluation of 81 days."""
    out = tmp_path_factory.mktemp("evaluated")
    request = Request(
        lab_datadir, lab_config, out, ("BTC/USDT", "SOL/USDT"), "2023-02-06", "2023-04-28",
        ablation=False, workers=1, user_data=project_root / "user_data",
    )  # fmt: skip
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert evaluate_strategy(request, Console(quiet=True), clock=lambda: noon) == 0
    return out


@pytest.fixture(scope="module")
def data(evaluated, make_result):
    """Its figures, with the effects of two components, whose backtests would take long."""
    rng = np.random.default_rng(4)
    base = rng.normal(0.0, 0.01, 60)
    runs = {"full": base, "without kelly": base - 0.01, "without trailing": base, "nothing": 0 * base}
    runs["kelly alone"] = runs["alone kelly"] = base + rng.normal(0.0, 0.01, 60)
    found = effects({name: make_result(returns) for name, returns in runs.items()})
    read = read_report_data(evaluated)
    read["ablation"] = plain(
        [{**vars(effect), "verdict": effect.verdict, "answer": effect.answer} for effect in found]
    )
    return read


@pytest.fixture(scope="module")
def page(data):
    return render_page(data)


def without_plotly(page):
    return page.replace(get_plotlyjs(), "")


def words(page):
    return unescape(
        re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(script|style).*?</\1>", " ", without_plotly(page)))
    )


def test_the_command_writes_the_page_beside_its_figures(evaluated):
    page = (evaluated / "strategy.html").read_text()
    assert page == render_page(read_report_data(evaluated))
    assert len(page) < 8_000_000


def test_the_page_can_be_made_again_from_the_figures(evaluated, tmp_path):
    first = (evaluated / "strategy.html").read_text()
    assert report_result(evaluated, Console(quiet=True), tmp_path / "again.html") == 0
    assert (tmp_path / "again.html").read_text() == first
    (evaluated / "strategy.html").unlink()
    assert report_result(evaluated / "strategy.json", Console(quiet=True)) == 0
    assert (evaluated / "strategy.html").read_text() == first


def test_the_verdict_comes_first_and_every_section_follows(page, data):
    text = words(page)
    at = [text.index(line) for line in data["verdict"]]
    assert at == sorted(at)
    assert max(at) < text.index("Return of each month")
    assert re.findall(r'<section id="([^"]+)"', page) == list(SECTIONS)
    assert re.findall(r'<a href="#([^"]+)"', page) == list(SECTIONS)


def test_the_tables_show_the_figures_of_the_data(page, data):
    text = words(page)
    for name, account in data["accounts"].items():
        assert name in text
        assert f"{100 * account['performance']['max_drawdown']:.1f} %" in text
    assert f"{len(data['trades']['table']['pair'])}" in text
    for row in data["claims"]:
        assert row["claim"]["test"] in text
    for pair in ("BTC/USDT", "SOL/USDT"):
        (group,) = [group for group in data["attribution"]["pair"] if group["name"] == pair]
        assert f"{100 * group['account']:+.1f} %" in text
    kelly = next(effect for effect in data["ablation"] if effect["component"] == "kelly")
    assert kelly["verdict"] == "helps"
    assert re.search(r'Kelly</td><td class=""><span class="good">helps</span>', page)


def test_months_compound_their_days(data):
    from adaptive_pkg.evaluation.strategy.page_tables import months

    shown = months(["2023-01-30", "2023-01-31", "2023-02-01", "2024-01-01"], [0.1, 0.1, -0.5, 0.02])
    text = re.sub(r"<[^>]+>", " ", shown)
    assert re.search(r"2023\s+\+21\.0 %\s+-50\.0 %.*-39\.5 %\s+2024\s+\+2\.0 %", text)


def test_tables_of_sentences_can_be_read_row_by_row_on_a_phone(page):
    """Their cells say what they are, for the heads are left out there."""
    (claims,) = re.findall(r'(?s)<section id="claims">.*?</section>', page)
    assert '<table class="narrow cards">' in claims
    assert (
        claims.count('data-head="verdict"')
        == claims.count('data-head="measured"')
        == claims.count("<tr>") - 1
    )
    (costs,) = re.findall(r'(?s)<section id="costs">.*?</section>', page)
    assert "data-head" not in costs


def test_what_is_not_in_use_has_no_figures(page, data):
    (idle,) = [effect for effect in data["ablation"] if effect["component"] == "trailing"]
    assert idle["verdict"] == "not in use"
    row = re.search(r"(?s)<td[^>]*>trailing</td>.*?</tr>", page)[0]
    assert row.count("–") == 4
    assert "not in use" in row


def test_a_wide_axis_of_growth_is_labelled_in_whole_numbers(data):
    wide = {**data, "accounts": dict(list(data["accounts"].items())[:2])}
    assert "tickvals" not in page_charts.accounts(wide)["layout"]["yaxis"]
    name = list(wide["accounts"])[1]
    wide["accounts"] = wide["accounts"] | {name: {"returns": [0.05] * len(data["days"])}}
    axis = page_charts.accounts(wide)["layout"]["yaxis"]
    assert dict(zip(axis["tickvals"], axis["ticktext"], strict=True))[20.0] == "20"


def test_a_stop_that_moved_is_drawn_where_it_stood_at_the_end():
    dates = [f"2023-01-{day:02d}T00:00:00+00:00" for day in range(1, 31)]
    trade = {
        "pair": "BTC/USDT", "open_date": dates[5], "close_date": dates[25], "open_rate": 100.0,
        "close_rate": 130.0, "initial_stop": 90.0, "final_stop": 125.0, "target_price": None,
    }  # fmt: skip
    prices = dict.fromkeys(("open", "high", "low", "close"), [100.0] * 30)
    chart = {"trade": trade, "dates": dates, "regime": ["choppy"] * 30, **prices}

    def lines(found):
        return {trace["name"]: trace["x"] for trace in found["data"] if trace.get("mode") == "lines"}

    drawn = lines(page_charts.trade(chart))
    assert drawn["initial stop"] == [dates[5], dates[25]]
    assert drawn["final stop"] == [dates[22], dates[25]]
    trade["final_stop"] = 90.0
    assert list(lines(page_charts.trade(chart))) == ["initial stop"]


def test_nothing_is_fetched_and_plotly_is_inside_once(page):
    assert page.count(get_plotlyjs()) == 1
    rest = without_plotly(page)
    assert "default-src 'none'" in rest
    assert not re.search(r"https?://|(src|href)=\"//|@import|<link rel=\"stylesheet", rest)


def test_names_from_elsewhere_stay_text(data):
    evil = deepcopy(data)
    evil["notes"].append("<script>alert(1)</script>")
    evil["trades"]["table"]["pair"][0] = "</script><b>"
    evil["attribution"]["rule"][0]["name"] = "<img src=x>"
    page = without_plotly(render_page(evil))
    assert escape("<script>alert(1)</script>") in page
    for raw in ("<script>alert", "</script><b>", "<img"):
        assert raw not in page


def test_a_section_without_figures_is_left_out(data):
    bare = deepcopy(data)
    bare |= {"ablation": [], "claims": [], "costs": [], "charts": [], "drawdowns": [], "attribution": {}}
    bare["trades"] = {"figures": None, "excursions": {}, "entry_quality": None, "stops": None}
    found = re.findall(r'<section id="([^"]+)"', render_page(bare))
    assert found == ["account", "baselines", "luck", "forecast-and-outcome", "conditions"]


def test_a_page_that_cannot_be_written_is_told(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_page(data, tmp_path / "file" / "page.html")


# --- in a browser -------------------------------------------------------------------------------------

# before the page: keep what goes wrong. after it: measure, and tell the frame around it
LISTEN = """<script>window.wrong = [];
addEventListener("error", event => wrong.push(String(event.message)));
addEventListener("unhandledrejection", event => wrong.push(String(event.reason)));
addEventListener("securitypolicyviolation", event => wrong.push(event.violatedDirective + event.blockedURI));
for (const name of ["error", "warn"]) console[name] = (...what) => wrong.push(what.join(" "));
</script>"""
MEASURE = """<script>addEventListener("load", () => setTimeout(() => parent.postMessage({
  wrong, places: document.querySelectorAll(".chart").length,
  charts: [...document.querySelectorAll(".chart.drawn")].map(place => ({
    traces: place.querySelectorAll(".trace").length, wanted: place.data.length,
    width: place.getBoundingClientRect().width, height: place.getBoundingClientRect().height,
    ink: getComputedStyle(place.querySelector(".xtick text, .ytick text")).fill})),
  page: document.documentElement.scrollWidth, screen: innerWidth,
  back: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
  fetched: performance.getEntriesByType("resource").map(entry => entry.name)}, "*"), 1500));</script>"""
AROUND = """<body style="margin:0"><iframe src="page.html" style="width:{width}px;height:900px;border:0">
</iframe><pre id="found"></pre><script>addEventListener("message", event =>
  document.getElementById("found").textContent = JSON.stringify(event.data));</script></body>"""


@pytest.fixture
def opened(tmp_path):
    """`opened(page, width, dark)`: what a browser made of a page in a window of that width."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed: nothing to open the page in")

    def look(page, width, dark):
        head, tail = page.index("<head>") + 6, page.rindex("</body>")
        (tmp_path / "page.html").write_text(page[:head] + LISTEN + page[head:tail] + MEASURE + page[tail:])
        # a window cannot be as narrow as a phone, a frame can
        (tmp_path / "around.html").write_text(AROUND.format(width=width))
        line = [
            browser,
            *QUIET,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--window-size=1300,1000",
            (tmp_path / "around.html").as_uri(),
        ]
        ran = subprocess.run(line, capture_output=True, text=True, timeout=120, check=True)
        found = re.search(r'<pre id="found">(.+?)</pre>', ran.stdout, re.S)
        assert found, ran.stderr[-2000:]
        assert "CONSOLE" not in ran.stderr, ran.stderr
        return json.loads(unescape(found[1]))

    return look


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, True)])
def test_a_browser_draws_every_chart_without_an_error(opened, page, width, dark):
    found = opened(page, width, dark)
    assert found["wrong"] == []
    assert found["fetched"] == []
    assert len(found["charts"]) == found["places"] == page.count('class="chart"') >= 8
    for chart in found["charts"]:
        assert chart["traces"] >= 1
        assert 0.85 * width < chart["width"] <= width or width > 1120
        assert chart["height"] > 100
    assert found["screen"] == width
    assert found["page"] <= width  # tables scroll by themselves, the page does not
    back, ink = (sum(map(int, re.findall(r"\d+", found[name])[:3])) for name in ("back", "ink"))
    assert back < 150 < 600 < ink if dark else ink < 150 < 600 < back
    # the charts follow
    assert {chart["ink"] for chart in found["charts"]} == {found["ink"]}
