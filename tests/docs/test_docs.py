"""The documentation does what it says: its commands run, what it names is there, its links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from freqtrade.configuration.config_validation import validate_config_schema
from freqtrade.misc import deep_merge_dicts

from adaptive_pkg.forecast.contract import check_freqai
from adaptive_pkg.reports.settings_page import REGENERATE, settings_page
from adaptive_pkg.settings import load_forecast_settings, load_settings

from .known_names import (
    MADE_BY_USE,
    adaptive_commands,
    check_command,
    check_mention,
    is_setting,
    last_names,
)
from .pages import PROGRAMS, Page, all_pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = all_pages(ROOT)
IGNORED = shutil.ignore_patterns("__pycache__")

# Commands that are shown and not run, by what they begin with, and why. Longest match counts.
NOT_RUN = {
    "make": "installs, or takes minutes",
    "docker compose": "needs a container engine",
    "freqtrade download-data": "asks the real exchange",
    "freqtrade trade": "runs until it is stopped",
    "freqtrade backtesting": "asks the real exchange for its markets",
    "freqtrade hyperopt": "asks the real exchange for its markets",
    "adaptive offline": "runs until it is stopped, or takes minutes",
    "adaptive simulate": "runs until it is stopped",
    "adaptive rehearse": "takes minutes, and needs Debian's faketime",
    "adaptive bench": "takes minutes",
    "adaptive tune": "takes minutes",
    "adaptive evaluate forecast": "takes minutes",
    "adaptive evaluate papers": "takes minutes, and needs daily candles",
    "adaptive evaluate sources": "needs real history of the sources",
    "adaptive evaluate strategy": "takes minutes",
    "adaptive evaluate decisions": "takes minutes, and years of candles",
    "adaptive maintain": "sends a message, or takes minutes",
    "adaptive sources update": "asks the real services",
    "adaptive doctor --online": "asks the real exchange",
    "adaptive settings": "writes a page of this project",
}


def test_the_pages_are_there():
    names = {page.path.name for page in PAGES}
    assert names >= {
        "README.md", "install.md", "configuration.md", "strategy.md", "forecast.md", "risk.md", "live.md",
        "upkeep.md", "journal.md", "evaluation.md", "extending.md",
    }  # fmt: skip
    linked = set(Page(ROOT / "docs" / "README.md").links)
    assert names - {"README.md"} <= linked, "docs/README.md links every page"


def test_the_configuration_reference_is_what_the_settings_say():
    written = (ROOT / "docs" / "configuration.md").read_text()
    assert written == settings_page(), f"docs/configuration.md is out of date; run: {REGENERATE}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.steps], ids=lambda page: page.path.stem)
def test_a_page_can_be_followed(page, project, environment):
    """Its commands and blocks, in order, in one shell, as a reader would; the first that fails ends it."""
    if any(isinstance(step, int) for step in page.steps):  # they change the package: a copy of it
        shutil.copytree(ROOT / "adaptive_pkg", project / "adaptive_pkg", ignore=IGNORED)
        environment |= {"PYTHONPATH": str(project)}
    lines = [step if isinstance(step, str) else carry_out(page, step) for step in page.steps]
    script = "".join(f"printf '\\n$ %s\\n' {shlex.quote(line)}\n{line}\n" for line in lines)
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"


def carry_out(page: Page, number: int) -> str:
    words = [sys.executable, ROOT / "tests" / "docs" / "carry_out.py", page.path, number]
    return shlex.join(map(str, words))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_a_command_that_is_not_run_has_a_reason_and_arguments_that_exist(page):
    for line in page.not_run:
        assert any(line.startswith(known) for known in NOT_RUN), f"no reason why this is not run: {line}"
        check_command(line, ROOT)


def test_every_command_is_described():
    text = "".join(page.text for page in PAGES)
    commands = adaptive_commands()
    assert len(commands) > 20
    missing = [name for name in commands if f"adaptive {name}" not in text]
    assert not missing, f"no page of docs/ mentions: {missing}"


def test_every_exception_is_needed():
    lines = [line for page in PAGES for line in page.not_run]
    unused = [known for known in NOT_RUN if not any(line.startswith(known) for line in lines)]
    assert not unused, f"no page shows these any more: {unused}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_a_page_has_only_the_kinds_of_blocks_that_its_readers_know(page):
    kinds = {block.kind for block in page.blocks}
    assert kinds <= {"console", "text", "json", "python", "diff", "ini"}, kinds
    for block in page.blocks:
        if block.kind == "console":
            strays = [
                line for line in block.body.replace("\\\n", " ").splitlines() if not line.startswith("$ ")
            ]
            assert not strays, f"a line of a console block without `$ `: {strays}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_a_config_that_is_shown_can_be_laid_over_the_shipped_one(page):
    for block in page.blocks:
        if block.kind == "json":
            config = json.loads((ROOT / "user_data" / "config.json").read_text())
            config = deep_merge_dicts(json.loads(block.body), config)
            validate_config_schema(config)
            load_settings(config)
            check_freqai(config, load_forecast_settings(config))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_links_lead_somewhere(page):
    for target in page.links:
        name, _, anchor = target.partition("#")
        file = (page.path.parent / name).resolve() if name else page.path
        assert file.exists(), f"{page.path.name}: {target}"
        if anchor:
            assert anchor in anchors(file.read_text()), f"{page.path.name}: no heading for {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_settings_commands_and_files_named_in_the_text_exist(page):
    names = last_names()
    for name in page.named:
        words = name.split()
        if words[0] in PROGRAMS and len(words) > 1:
            check_mention(name, ROOT)
        elif match := re.fullmatch(r"((?:adaptive|components|freqai)\.[\w.<>]+)(: \w+)?", name):
            assert is_setting(match[1]), f"{page.path.name}: no setting {match[1]}"
        elif re.fullmatch(r"[a-z]+(_[a-z]+)+", name):
            assert name in names, f"{page.path.name}: {name} is no name that is known"
        elif re.fullmatch(r"(adaptive_pkg|user_data|tests|examples|docs)/[\w./-]+", name):
            assert (ROOT / name).exists() or name in MADE_BY_USE, f"{page.path.name}: no file {name}"


def anchors(text: str) -> set[str]:
    """GitHub's anchors of a page's headings."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
