"""A benchmark's figures as a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adaptive_pkg.errors import AdaptiveError


def write_figures(figures: Mapping[str, Any], json_path: Path | None) -> None:
    """Write them where asked, with the folders that lead there; None: nowhere. Units are in the names.

    Raises:
        AdaptiveError: the file cannot be written.
    """
    if json_path is None:
        return
    text = json.dumps(figures, indent=2, allow_nan=False) + "\n"
    try:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AdaptiveError(
            f"--json {json_path}: {error.strerror}; name a file that can be written"
        ) from None
