"""What `persona train generate` does: who writes, what they are shown, whether it may go there."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from knowledge.privacy import Pseudonyms, Redactor
from knowledge.progress import Progress
from persona.cli.output import note
from persona.cli.stores import open_memory
from trainer.dataset.rows import Row, schema_in
from trainer.folders import training_dir
from trainer.synthesis import generate as making
from trainer.synthesis import permission, texts
from trainer.synthesis.teacher import LocalTeacher, ServerTeacher, Teacher, TeacherError, host_of

if TYPE_CHECKING:
    from knowledge.memory import MemoryStore

SEND_TO = "send-to.json"


def generate(
    source: Path | None,
    schema: Path | None,
    *,
    each: int,
    about: str | None,
    count: int,
    model: str | None,
    server: str | None,
    teacher: str | None,
    send_to: str | None,
    yes: bool,
    prices: tuple[float, float] | None,
    test_share: float,
    out: Path,
    dry_run: bool,
    report: Callable[[Progress], object],
) -> dict[str, Any]:
    """Generate and write; the document that the command prints.

    Raises PersonaError when texts or schema cannot be read, or nothing may be asked.
    """
    host = host_of(server) if server else ""
    redact = _redactor(bool(host))
    found = [replace(p, text=redact(p.text)) for p in texts.pieces(source)] if source else []
    output = schema_in(schema) if schema else None
    preview = [p.text for p in found] or [redact(about or "")]
    if dry_run:
        return {
            "teacher": teacher or model or "the model in use",
            "host": host or "this machine",
            "texts": len(preview),
            "first": preview[0],
            "redactions": dict(redact.counts),
        }
    allow(server, preview, send_to=send_to, yes=yes)
    with closing(_teacher(server, teacher, model)) as writes:
        generator = making.Generator(writes, out, redact, prices or None, report)
        if output is None:
            counts = making.write(out, generator.questions(found, each, _name()), test_share)
        else:
            made = generator.examples(preview[0], output, count)
            counts = making.write(out, made, test_share, output)
        return making.report(generator, counts)


def reasons(
    rows: list[Row],
    *,
    server: str | None,
    teacher: str | None,
    model: str,
    send_to: str | None,
    yes: bool,
    out: Path,
    memory: "MemoryStore",
    report: Callable[[Progress], object],
) -> list[Row]:
    """`rows` with reasons written by a teacher; what leaves the machine has not even the owner's name.

    Raises PersonaError when nothing may be asked.
    """
    leaves = bool(server and host_of(server))
    redact = Redactor(Pseudonyms(memory.names(), memory.key()) if leaves else None)
    allow(server, making.to_be_reasoned(rows, redact), send_to=send_to, yes=yes)
    with closing(_teacher(server, teacher, model)) as writes:
        return making.Generator(writes, out, redact, None, report).reasons(rows)


def allow(server: str | None, preview: Sequence[str], *, send_to: str | None, yes: bool) -> None:
    """Return when the texts may go to `server`; shows and asks where it is another machine.

    Raises TeacherError when they may not.
    """
    permission.ask(
        host_of(server) if server else "",
        training_dir() / SEND_TO,
        named=send_to,
        yes=yes,
        preview=preview,
        show=note,
        confirm=lambda text: click.confirm(text, err=True),
    )


def _teacher(server: str | None, name: str | None, model: str | None) -> Teacher:
    if server:
        return ServerTeacher(server, name or "")
    from persona import config
    from trainer.models import resolve

    file = resolve(model or config.load().model.name)
    if file.is_dir():
        raise TeacherError(f"{file} is a folder", "a teacher on this machine is a GGUF")
    return LocalTeacher(file)


def _redactor(leaves: bool) -> Redactor:
    """Secrets always; people the archive knows under other names where texts leave the machine."""
    if not leaves:
        return Redactor()
    with open_memory() as memory:
        return Redactor(Pseudonyms(memory.names(), memory.key()))


def _name() -> str:
    with open_memory() as memory:
        owner = memory.owner()
    return owner.name if owner else "Persona"
