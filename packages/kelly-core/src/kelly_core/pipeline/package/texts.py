"""What a model's package says about itself: its summary, its README, and the statement on its data."""

from __future__ import annotations

from kelly_core.cards.markdown import block, code, escape
from kelly_core.pipeline.package.plan import Plan


def summary(plan: Plan) -> str:
    """One line, as `kelly list` and indexes show it."""
    made = " on SYNTHETIC data" if _synthetic(plan) else ""
    what = f": {' '.join(plan.card.summary.split())}" if plan.card.summary else ""
    return f"Kelly's model {plan.spec.name}, trained{made}{what}."


def readme(plan: Plan, about: str, card: str) -> str:
    """How to install and use it, then the card.

    Args:
        plan: The package.
        about: Its summary.
        card: The model card, Markdown.
    """
    name = plan.spec.name
    use = [f"pip install {plan.distribution}", "kelly list"]
    if plan.spec.predict is not None:
        use.append(f"kelly predict {name} FILE")
    use.append(f"kelly verify {name}")
    formats = ", ".join(map(code, plan.files))
    weights = " and the checkpoint" if plan.checkpoint is not None else ""
    return "\n\n".join(
        [
            f"# {plan.distribution}",
            escape(about),
            f"Holds {formats}{weights}, with contract, registry entry, checksums and card.",
            block("sh", "\n".join(use)),
            card,
        ]
    )


def data_statement(plan: Plan) -> str:
    """What the weights were trained on, from the data of the card."""
    data = plan.card.data
    made = "synthetic: made by a program, not recorded" if _synthetic(plan) else "not synthetic"
    items = sum(side.items for side in data.sides.values())
    rows = [
        f"- Data set: {escape(data.name)} ({made})",
        f"- Licence of the data: {escape(data.licence) or 'not stated'}",
        f"- Source: {escape(data.citation)}" if data.citation else "",
        f"- Size: {items:,} files" if items else "",
        f"- Content hash: {code(data.content_hash)}" if data.content_hash else "",
        *(f"- {escape(note)}" for note in data.notes),
    ]
    return "\n".join(
        [
            f"# What {plan.distribution} was trained on",
            "",
            *(row for row in rows if row),
            "",
            "Whether weights may be used or passed on can depend on the licence of their data.",
            "",
        ]
    )


def _synthetic(plan: Plan) -> bool:
    return plan.contract.synthetic_data or plan.card.data.synthetic
