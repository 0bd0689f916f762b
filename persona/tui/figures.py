"""Long jobs as they are shown: text, bars and plots of braille dots."""

from collections.abc import Sequence
from typing import Any

from textual.content import Content

from knowledge.text import one_line, printable
from persona.tui.indexing import Indexing
from persona.tui.plot import finite, line
from persona.tui.training import Run

HEIGHT = 8
"""Lines of a plot that has the page for itself."""

LOW = 4
"""Lines of each of several plots."""

BAR = 20
LABEL = 9

_QUIET = "$foreground 60%"


def index_lines(now: Indexing | None) -> Content:
    """How far the vectors are, how fast they come, and how long it takes."""
    head = Content.styled("indexing", "bold $primary")
    if now is None:
        return Content("  ").join([head, Content.styled("nothing waits to be indexed", _QUIET)])
    said = f" {now.done:,} of {now.total:,} messages"
    if now.per_second:
        said += f" · {now.per_second:,.0f} a second"
    if now.seconds_left is not None:
        said += f" · {_time(now.seconds_left)} left"
    return Content("\n").join([head, Content.assemble(*_bar(now.done / max(1, now.total)), said)])


def run_lines(run: Run, width: int) -> Content:
    """A training: its name, how far it is, and its loss."""
    last = run.last
    state = "done" if run.finished else f"update {last['step']:,} of {last.get('steps', 0):,}"
    more = f" · {last['tokens_per_second']:,.0f} tokens/s" if last.get("tokens_per_second") else ""
    left = (
        f" · {last['seconds_left'] / 60:,.0f} min left"
        if last.get("seconds_left") and not run.finished
        else ""
    )
    head = Content.assemble(
        (one_line(printable(run.name)), "bold $primary"), (f"  {state}{more}{left}", _QUIET)
    )
    ends = f"{'':{LABEL}}loss {run.losses[0]:.3f} → {run.losses[-1]:.3f}"
    gone = len(run.losses) - len(finite(run.losses))
    diverged = f", {gone:,} of {len(run.losses):,} are no numbers" if gone else ""
    return Content("\n").join(
        [head, *_plot(run.losses, width, HEIGHT, "8.3f"), Content.styled(ends + diverged, _QUIET)]
    )


def ab_lines(found: dict[str, Any] | None, width: int) -> Content:
    """The last A/B run: of each arm how much it recalled, and its prompt tokens by turn, on one scale."""
    if found is None:
        return Content.styled("No A/B run was finished yet: `persona ab run` makes one.", _QUIET)
    about = f"  {one_line(printable(found['script']))}, {found['turns']:,} turns, {found['probes']:,} probes"
    lines = [Content.assemble(("A/B", "bold $primary"), (about, _QUIET))]
    arms: dict[str, dict[str, Any]] = found["arms"]
    tokens = [count for arm in arms.values() for count in arm["prompt_tokens"]]
    scale = (0.0, float(max(tokens, default=0)))
    for name, arm in arms.items():
        lines += [Content(""), Content.styled(one_line(printable(name)), "bold"), _recall(arm["probes"])]
        lines += _plot(arm["prompt_tokens"], width, LOW, "8,.0f", scale)
        if arm["prompt_tokens"]:
            lines.append(Content.styled(f"{'':{LABEL}}prompt tokens by turn", _QUIET))
    return Content("\n").join(lines)


def choices_lines(found: dict[str, Any], key: str) -> Content:
    """The blind choices: for each pair of arms a bar of how often either was preferred. key: begins them."""
    if not found["choices"]:
        return Content.styled(f"Nothing was chosen blind yet ({key} in the chat).", _QUIET)
    lines: list[Content] = [Content.styled("chosen blind", "bold $primary")]
    pairs: Sequence[dict[str, Any]] = found["pairs"]
    for pair in pairs:
        decided = pair["chosen_a"] + pair["chosen_b"]
        share = pair["chosen_a"] / decided if decided else 0.0
        said = f" {pair['chosen_a']}:{pair['chosen_b']}, alike {pair['ties']}, neither {pair['neither']}"
        lines.append(
            Content.assemble(f"{pair['a']:>24} ", *_bar(share, "$secondary"), f" {pair['b']}", (said, _QUIET))
        )
        if pair["share_a"] is not None:
            low, high = pair["interval"]
            lines.append(
                Content.styled(f"{'':>25}{share:.0%} of them, 95 %: {low:.0%} to {high:.0%}", _QUIET)
            )
    return Content("\n").join(lines)


def _recall(probes: dict[str, Any]) -> Content:
    if probes["recall"] is None:
        return Content.styled("no probes", _QUIET)
    low, high = probes["interval"]
    said = f" recalled {probes['recalled']:,} of {probes['asked']:,}"
    return Content.assemble(*_bar(probes["recall"]), said, (f" · 95 %: {low:.0%} to {high:.0%}", _QUIET))


def _bar(share: float, rest: str = "$foreground 25%") -> list[tuple[str, str]]:
    full = round(BAR * share)
    return [("━" * full, "$primary"), ("━" * (BAR - full), rest)]


def _plot(
    values: Sequence[float], width: int, height: int, form: str, scale: tuple[float, float] | None = None
) -> list[Content]:
    """Lines with what the highest and the lowest of them stand for; none where nothing can be drawn."""
    rows = line(values, width, height, scale)
    if not rows:
        return []
    low, high = scale or (min(finite(values)), max(finite(values)))
    labels = [f"{high:{form}} ", *[" " * LABEL] * (len(rows) - 2), f"{low:{form}} "]
    return [
        Content.assemble((label, _QUIET), (row, "$secondary"))
        for label, row in zip(labels, rows, strict=True)
    ]


def _time(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 90 else f"{seconds / 60:,.0f} min"
