"""The first lines of the report: what was found, in sentences that say no more than the intervals do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adaptive_pkg.evaluation.strategy.ablation import Effect, Kind, spoken
from adaptive_pkg.evaluation.strategy.bootstrap import Difference
from adaptive_pkg.evaluation.strategy.claims import ClaimRow, Verdict
from adaptive_pkg.evaluation.strategy.conditions import STRATEGY

if TYPE_CHECKING:
    from adaptive_pkg.evaluation.strategy.evaluate import Evaluation
    from adaptive_pkg.evaluation.strategy.findings import Findings


def verdict(findings: Findings, evaluation: Evaluation) -> list[str]:
    """Plain sentences, the most important first."""
    ours = findings.accounts[STRATEGY]
    chosen = (
        f"settings chosen by {evaluation.request.hyperopt} trials on the {evaluation.plan.train_days} days "
        "before each span"
        if evaluation.request.hyperopt
        else "fixed settings"
    )
    lines = [
        f"{STRATEGY} on {len(evaluation.pairs)} pairs, {evaluation.plan.start:%Y-%m-%d} – "
        f"{evaluation.plan.end:%Y-%m-%d}, {chosen}: {ours.performance.total:+.1%} after costs, Sharpe ratio "
        f"{ours.performance.sharpe:.2f} ({ours.sharpe.low:.2f} to {ours.sharpe.high:.2f}), largest drawdown "
        f"{ours.performance.max_drawdown:.1%}.",
        findings.luck["sharpe"].answer,
    ]
    for name, figures in findings.beside.items():
        shown = figures["sharpe"]
        lines.append(f"Beside {name}: {beside_words(shown)}.")
    if findings.forecast:
        lines.append(findings.forecast["answer"])
    return [*lines, *_parts(findings.ablation), *_claims(findings.claims)]


def _parts(found: list[Effect]) -> list[str]:
    """What each part is worth in the whole: those that show something one by one, the others together."""
    inside = [effect for effect in found if effect.kind is Kind.OFF]
    lines = [_sentence(effect.answer) for effect in found if effect.kind is Kind.INSTEAD]
    if not inside:
        return lines
    shown = [effect.answer for effect in inside if effect.verdict in ("helps", "harms")]
    open_ = [spoken(effect.component) for effect in inside if effect.verdict == "no evidence"]
    idle = [spoken(effect.component) for effect in inside if effect.same]
    lines += [_sentence(answer) for answer in shown]
    if open_:
        lines.append(f"No evidence that these parts help or harm: {', '.join(open_)}.")
    if idle:
        lines.append(f"Not in use with these settings in this span: {', '.join(idle)}.")
    if shown:
        lines.append(
            f"{len(inside) - len(idle)} parts were judged: at 95 %, one in twenty looks like something by "
            "chance."
        )
    return lines


def _sentence(answer: str) -> str:
    return answer[0].upper() + answer[1:]


def _claims(rows: list[ClaimRow]) -> list[str]:
    measured = [row for row in rows if row.verdict is not Verdict.MISSING]
    held = [row.claim.name for row in measured if row.verdict in (Verdict.SUPPORTED, Verdict.LESS)]
    if not measured:
        return []
    start = f"Of {len(measured)} claims measured, {len(held)} pass a test that luck does not"
    return [f"{start}: {', '.join(held)}." if held else f"{start}."]


def beside_words(shown: Difference) -> str:
    """Better, worse or neither, by the interval of a difference of Sharpe ratios."""
    if shown.value == shown.low == shown.high == 0.0:
        return "the same, day by day"
    numbers = f"Sharpe ratio {shown.value:+.2f} ({shown.low:+.2f} to {shown.high:+.2f})"
    if shown.sign > 0:
        return f"better, {numbers}"
    if shown.sign < 0:
        return f"worse, {numbers}"
    return f"no evidence of a difference, {numbers}"
