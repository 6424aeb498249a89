"""Where a file named in the settings lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

USER_DATA = "user_data"  # freqtrade's folder, as default paths name it


def resolve_path(path: str, user_data_dir: str | Path | None) -> Path:
    """A path of the settings as a file: what begins with `user_data/` lies in freqtrade's own such folder.

    Args:
        user_data_dir: freqtrade's config["user_data_dir"]; None: not known, and the path stays as it is.
            So do an absolute path, and one relative to any other folder.
    """
    given = Path(path)
    if user_data_dir is None or given.parts[:1] != (USER_DATA,):
        return given
    return Path(user_data_dir).joinpath(*given.parts[1:])


def user_data_of(config: Mapping[str, Any], files: Iterable[Path]) -> Path | None:
    """Freqtrade's folder of a bot: the config names it, or a config file lies in it; None: neither."""
    if named := config.get("user_data_dir"):
        return Path(named)
    return next((file.parent for file in files if file.parent.name == USER_DATA), None)
