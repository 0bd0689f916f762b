"""An evaluation in words: the first line says whether tuning helped, and where it hurt."""

from typing import Any

from knowledge.text import one_line

_ROWS = (
    ("nll", "what you really said, nats a token (lower is better)"),
    ("style_distance", "distance from your manner (lower is better)"),
    ("fact_recall", "facts recalled"),
    ("abstention", "said “I don't know” where nothing answers"),
    ("thinking_kept", "thought when asked to"),
    ("thinking_absent", "no thinking when not asked to"),
    ("repeated_training", "training replies repeated word for word"),
    ("repeated_canaries", "made-up codes learned by heart"),
)
_ARMS = ("base", "base_memory", "tuned", "tuned_memory")
_TOLERANCE = 0.02


def verdict(figures: dict[str, Any]) -> str:
    """One line: whether tuning helped, by how much, and what it cost."""
    arms = figures["arms"]
    base, tuned = arms["base_memory"], arms["tuned_memory"]
    gain = figures["style_gain_memory"]
    likelier = 1 - tuned["nll"] / base["nll"] if base["nll"] else 0.0
    nearer = gain is None or gain["low"] > 0
    helped = nearer and likelier > 0
    hurt = [
        f"{name} fell from {base[key]:.0%} to {tuned[key]:.0%}"
        for key, name in (
            ("fact_recall", "recall of facts"),
            ("abstention", "saying “I don't know”"),
            ("thinking_kept", "thinking when asked to"),
            ("thinking_absent", "keeping thinking out"),
        )
        if base[key] is not None and tuned[key] < base[key] - _TOLERANCE
    ]
    if helped:
        said = "Tuning helped"
    elif (gain and nearer) or likelier > 0:
        said = "Tuning helped in part"
    else:
        said = "Tuning did not help"
    manner = "nearer to your manner, " if nearer else "no nearer to your manner than chance explains, "
    likely = (
        f"{abs(likelier):.0%} {'fewer' if likelier >= 0 else 'more'} nats a token on what you really said"
    )
    cost = f"; it hurt: {', '.join(hurt)}" if hurt else "; nothing measured got worse"
    return f"{said}: {manner if gain else ''}{likely}{cost}."


def markdown(figures: dict[str, Any]) -> str:
    """The whole report."""
    arms, asked = figures["arms"], figures["asked"]
    lines = [
        figures["verdict"],
        "",
        f"# {figures['run']}",
        "",
        "| | " + " | ".join(name.replace("_", " + ") for name in _ARMS) + " |",
        "|---|" + "---:|" * len(_ARMS),
        *(
            f"| {title} | " + " | ".join(_shown(key, arms[a][key]) for a in _ARMS) + " |"
            for key, title in _ROWS
        ),
        "",
    ]
    if figures["style_gain"] is not None:
        lines += [
            f"Gain in manner: {_interval(figures['style_gain'])} without memory,"
            f" {_interval(figures['style_gain_memory'])} with it (95 % by bootstrap; above 0 is nearer).",
            "",
        ]
    if figures["other_person_distance"] is not None:
        lines += [f"Other people's messages are {figures['other_person_distance']:.2f} from yours.", ""]
    lines += [
        f"Asked: {asked['style']} real messages, {asked['facts']} questions of fact, {asked['unknown']}"
        f" that nothing answers; likelihood over {asked['likelihood']} replies. All are newer than what was"
        " trained on.",
        "",
        "## Side by side",
    ]
    for sample in figures["samples"]:
        lines += ["", f"**{inline(sample['message'])}**", ""]
        lines += [f"- {who.replace('_', ' + ')}: {inline(sample[who])}" for who in ("owner", *_ARMS)]
    return "\n".join(lines) + "\n"


def html(text: str) -> str:
    """The Markdown of a report as a page of its own; markup in messages stays text."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    style = (
        "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td,th{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left}"
    )
    return f'<!doctype html><meta charset="utf-8"><title>Evaluation</title><style>{style}</style>\n{body}'


def _shown(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if key in ("nll", "style_distance") else f"{value:.0%}"


def _interval(gain: dict[str, float]) -> str:
    return f"{gain['value']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})"


def inline(text: str) -> str:
    """A message as one line in which nothing is markup."""
    return "".join("\\" + c if c in "\\`*_[]<>#|&!" else c for c in one_line(text)) or "–"
