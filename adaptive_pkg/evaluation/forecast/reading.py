"""What the figures say, in plain sentences, aim by aim."""

from __future__ import annotations

from typing import Any

OURS = ("gru", "lstm", "ensemble")
P_LIMIT = 0.05


def aims(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What was aimed at, for each of our models: the figure by pair and whether it was reached."""
    pairs = result["pairs"]
    rows = []
    for model in OURS:
        returns = {pair: item["returns"][model] for pair, item in pairs.items() if model in item["returns"]}
        volatility = {
            pair: item["volatility"][model] for pair, item in pairs.items() if model in item["volatility"]
        }
        if not returns:
            continue
        ridge = {pair: item["volatility"]["ridge"]["qlike"] for pair, item in pairs.items()}
        rows += [
            _aim(
                model,
                "return MAE below persistence, p < 0.05",
                {
                    pair: row["mae_over_reference"]["value"] < 1 and row["mae_over_reference_dm_p"] < P_LIMIT
                    for pair, row in returns.items()
                },
                3 / 5,
            ),
            _aim(
                model,
                "rank IC ≥ 0.02, interval above 0",
                {
                    pair: row["rank_ic"] is not None
                    and row["rank_ic"]["value"] >= 0.02
                    and row["rank_ic"]["low"] > 0
                    for pair, row in returns.items()
                },
                3 / 5,
            ),
            _aim(
                model,
                "direction right ≥ 52 %",
                {pair: _value(row["direction"]) >= 0.52 for pair, row in returns.items()},
                3 / 5,
            ),
            _aim(
                model,
                "direction right ≥ 55 % in the top decile",
                {pair: _value(row["direction_top_decile"]) >= 0.55 for pair, row in returns.items()},
                3 / 5,
            ),
            _aim(
                model,
                "volatility QLIKE below HAR, p < 0.05",
                {
                    pair: row["qlike_over_har"]["value"] < 1 and row["qlike_over_har_dm_p"] < P_LIMIT
                    for pair, row in volatility.items()
                },
                4 / 5,
            ),
            _aim(
                model,
                "volatility QLIKE below ridge",
                {pair: row["qlike"] < ridge[pair] for pair, row in volatility.items()},
                4 / 5,
            ),
        ]
    return rows


def sentences(result: dict[str, Any]) -> list[str]:
    """The reading."""
    pairs, lines = result["pairs"], []
    for model in OURS:
        parts = [item["returns"][model] for item in pairs.values() if model in item["returns"]]
        if not parts:
            continue
        better = sum(
            row["mae_over_reference"]["value"] < 1 and row["mae_over_reference_dm_p"] < P_LIMIT
            for row in parts
        )
        weights = [row["earned_weight"]["final"] for row in parts if row["earned_weight"]]
        earned = sum(weight > 0 for weight in weights)
        ic = result["pooled"]["return_rank_ic"].get(model)
        told = f"pooled rank IC {_text(ic, '+.3f')}" if ic else "its return forecast never varied"
        lines.append(
            f"{model}: return forecasts reliably better than 'the price stays' on {better} of {len(parts)} "
            f"pairs, {told}; it has earned a weight above 0 in the decision on {earned} of {len(parts)}."
        )
        qlike = result["pooled"].get("qlike_over_har", {}).get(model)
        if qlike:
            ratio, p = qlike["loss_over_reference"], qlike["loss_over_reference_dm_p"]
            verdict = (
                "better than" if p < P_LIMIT else "worse than" if p > 1 - P_LIMIT else "no different from"
            )
            lines.append(
                f"{model}: volatility forecasts {verdict} HAR, pooled QLIKE ratio {_text(ratio, '.3f')}."
            )
    best = result["pooled"]["sets"]
    for measure, what in (("return_absolute", "returns, absolute error"), ("qlike", "volatility, QLIKE")):
        chosen = best[measure]["in_90_pct_set"]
        spa, benchmark = best[measure]["spa_p"], best[measure]["spa_benchmark"]
        lines.append(
            f"Best models for {what} that the days cannot tell apart (90 % model confidence set): "
            f"{', '.join(chosen)}"
            + (f"; SPA p of 'nothing beats {benchmark}': {spa:.3f}." if spa is not None else ".")
        )
    return lines


def _aim(model: str, what: str, met: dict[str, bool], share: float) -> dict[str, Any]:
    count = sum(bool(value) for value in met.values())
    needed = max(round(share * len(met)), 1)
    return {
        "model": model,
        "aim": what,
        "pairs_met": [pair for pair, value in met.items() if value],
        "pairs": len(met),
        "needed": needed,
        "reached": count >= needed,
    }


def _value(skill: dict[str, Any] | None) -> float:
    return skill["value"] if skill else 0.0


def _text(skill: dict[str, Any], form: str) -> str:
    return f"{skill['value']:{form}} [{skill['low']:{form}}, {skill['high']:{form}}]"
