"""Credentials: names and passwords of the bot's own API, made here so that nobody has to think one up."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from adaptive_pkg.errors import SettingsError

_PREFIX = "FREQTRADE__API_SERVER__"
_MAKERS: dict[str, Callable[[], str]] = {
    "USERNAME": lambda: "adaptive",
    "PASSWORD": lambda: secrets.token_urlsafe(24),  # 192 bits
    "JWT_SECRET_KEY": lambda: secrets.token_hex(32),
    "WS_TOKEN": lambda: secrets.token_urlsafe(24),
}
_SET = re.compile(r"^\s*(?:export\s+)?(?P<name>\w+)=(?P<value>.*)$", re.MULTILINE)


def add_credentials(file: Path) -> tuple[str, ...]:
    """Write the API's missing credentials into an environment file that only its owner may read.

    What the file says already stays, a name with an empty value excepted. Docker Compose reads such a file
    (`.env`); a shell does by `set -a; . ./.env; set +a`.

    Returns:
        The names that were added; their values are shown to nobody.

    Raises:
        SettingsError: the file cannot be written, or is a link, whose target others may read.
    """
    if file.is_symlink():
        raise SettingsError(f"{file}: a link; name the file itself")
    try:
        text = file.read_text() if file.exists() else ""
        known = {match["name"] for match in _SET.finditer(text) if match["value"].strip()}
        missing = {_PREFIX + name: make for name, make in _MAKERS.items() if _PREFIX + name not in known}
        kept = [line for line in text.splitlines() if _name(line) not in missing]
        lines = [*kept, *(f"{name}={make()}" for name, make in missing.items())]
        _replace(file, "\n".join(lines) + "\n")
    except (OSError, UnicodeDecodeError) as failure:
        raise SettingsError(f"{file}: cannot be written: {failure}") from failure
    return tuple(missing)


def credentials(file: Path, console: Console) -> int:
    """`adaptive credentials`: add what is missing and say what to do with it. Returns 0."""
    added = add_credentials(file)
    for name in added:
        console.print(f"{name} added to {file}", highlight=False, markup=False)
    if not added:
        console.print(f"{file} has them all", highlight=False, markup=False)
    console.print(
        f"Docker Compose reads {file} by itself; in a shell: set -a; . {file.absolute()}; set +a",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return 0


def _name(line: str) -> str:
    match = _SET.match(line)
    return match["name"] if match else ""


def _replace(file: Path, text: str) -> None:
    """All or nothing, and never readable by others in between."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
