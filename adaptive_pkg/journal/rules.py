"""Which settings decide what a candidate is and becomes, as a fingerprint: rows of other rules do not mix."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from adaptive_pkg.settings import AdaptiveSettings

_SECTIONS = ("approach", "indicators", "regime", "presets", "stops", "components", "sizing")


def rules_fingerprint(settings: AdaptiveSettings) -> str:
    """Twelve hex digits of the settings that candidates and their outcomes depend on.

    Confidence, size and limits are not among them: they choose among candidates, and change none.
    """
    everything = asdict(settings)
    told = {name: everything[name] for name in _SECTIONS}
    told["sizing"] = {name: told["sizing"][name] for name in ("fee", "max_entry_gap_atr")}
    names = ("regime_presets", "dynamic_stops", "breakeven", "trailing", "target")
    told["components"] = {name: told["components"][name] for name in names}
    told["presets"] = {str(regime): preset for regime, preset in told["presets"].items()}
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
