"""What `adaptive sources update` and `show` do: ask once, and say what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rich import box
from rich.console import Console
from rich.table import Table

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.onchain.coin_metrics import METRICS, coin_metrics_spec
from adaptive_pkg.onchain.futures import funding_spec, interest_spec
from adaptive_pkg.polling.keeper import poll_once
from adaptive_pkg.sentiment.fear_greed import fear_greed_spec
from adaptive_pkg.sentiment.reddit import reddit_spec
from adaptive_pkg.sentiment.x import x_spec
from adaptive_pkg.settings.sources import SourcesSettings
from adaptive_pkg.sources.registry import SOURCES, SourceRegistry, read_keys
from adaptive_pkg.store.observations import ObservationStore
from adaptive_pkg.store.series import SeriesSpec


def update_sources(
    store: ObservationStore,
    settings: SourcesSettings,
    coins: Sequence[str],
    only: Sequence[str] | None,
    environment: Mapping[str, str],
    console: Console,
) -> int:
    """Ask the enabled sources (or `only` those) once. Returns 0, or 1 when one has failed.

    Raises:
        SettingsError: an unknown source, none at all, or a key that is missing.
    """
    if only:
        if unknown := set(only) - set(SOURCES):
            raise SettingsError(f"source {sorted(unknown)[0]!r} is unknown; there are: {', '.join(SOURCES)}")
        switched = {name: replace(getattr(settings, name), enabled=name in only) for name in SOURCES}
        settings = replace(settings, **switched)
    registry = SourceRegistry(settings, coins, read_keys(environment))
    if not registry.enabled:
        raise SettingsError("every source is switched off; name some with --only")
    results = asyncio.run(poll_once(registry, store, settings.polling))
    for result in results:
        said = f"[red]{result.message}[/red]" if result.failure else f"{result.added:,} new values"
        console.print(f"{result.source}: {said}", highlight=False)
    return int(any(result.failure for result in results))


def show_store(store: ObservationStore, settings: SourcesSettings, now: datetime, console: Console) -> int:
    """Print every series with its age, and how each source's polls have gone. Returns 0."""
    states = store.states()
    if not states:
        console.print(f"{store.path}: empty; fill it with `adaptive sources import` or `update`")
        return 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("series", "values", "from", "to", "known", "value", "state"):
        table.add_column(column, justify="left" if column in ("series", "state") else "right", no_wrap=True)
    for state in states:
        spec = spec_of(state.series, settings)
        age = now - state.last_about
        limit = spec.max_age if spec else None
        fresh = "" if limit is None else "fresh" if age <= limit else f"stale: older than {_hours(limit)}"
        table.add_row(
            state.series,
            f"{state.values:,}",
            f"{state.first_about:%Y-%m-%d}",
            f"{state.last_about:%Y-%m-%d %H:%M}",
            f"{state.last_known:%Y-%m-%d %H:%M}",
            f"{state.last_value:.6g}",
            fresh or "no column of its own",
        )
    console.print(table)
    for poll in store.polls():
        last = f"{poll.succeeded:%Y-%m-%d %H:%M}" if poll.succeeded else "never"
        trouble = f"; {poll.failures} failures since, last: {poll.message}" if poll.failures else ""
        console.print(f"{poll.source}: last answer {last}{trouble}", highlight=False)
    return 0


def spec_of(series: str, settings: SourcesSettings) -> SeriesSpec | None:
    """The spec of a series that a source brings; None for another."""
    kind, _, coin = series.partition("/")
    if kind in METRICS and coin:
        return coin_metrics_spec(kind, coin, settings.coin_metrics)
    if series == "fear_greed":
        return fear_greed_spec(settings.fear_greed)
    if not coin:
        return None
    if kind == "reddit":
        return reddit_spec(coin, settings.reddit)
    if kind == "x":
        return x_spec(coin, settings.x)
    if kind == "funding":
        return funding_spec(coin, settings.futures)
    return interest_spec(coin, settings.futures) if kind == "open_interest" else None


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):g} h"
