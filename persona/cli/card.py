"""`persona card`: the persona card, and character cards of other programs."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona.cli.output import emit, json_option, note, say
from persona.errors import PersonaError

if TYPE_CHECKING:
    from persona.chat.card import PersonaCard

_FILE = click.Path(path_type=Path)


@click.group()
def card() -> None:
    """Look at the persona card, the text about you that the twin is given; exchange it with SillyTavern."""


@card.command()
@json_option
def show(as_json: bool) -> None:
    """Show the persona card; edit it with any editor (`persona locate` names the file)."""
    from persona import paths

    held = _held()
    if as_json:
        emit({"name": held.name, "text": held.text, "card": str(paths.card_file())})
    elif held.text:
        say(held.text)
    else:
        note("there is no card yet: `persona ingest` makes one from your messages")


@card.command("import")
@click.argument("file", type=_FILE)
@json_option
def import_(file: Path, as_json: bool) -> None:
    """Take a character card (SillyTavern's V2 or V3, JSON or PNG) as the persona card.

    What it tells a model to do is left out. A card that you edited is kept beside the new one.
    """
    from persona import paths
    from persona.cards import character
    from persona.chat.card import put

    found = character.read(file)
    before = put(paths.card_file(), found.card.text)
    if as_json:
        emit(
            {
                "name": found.card.name,
                "text": found.card.text,
                "card": str(paths.card_file()),
                "before": str(before) if before else None,
                "left_out": list(found.left_out),
                "cut": found.cut,
            }
        )
        return
    say(found.card.text)
    note(f"\nthe twin is now {found.card.name}; edit {paths.card_file()} as you like")
    if found.left_out:
        note(f"left out: {', '.join(found.left_out)}")
    if found.cut:
        note(f"cut after {character.MOST_CHARACTERS:,} characters: the card is part of every prompt")
    if before:
        note(f"the card you had is in {before}")


@card.command()
@click.argument("file", type=_FILE)
@click.option("--spec", type=click.Choice(["v2", "v3"]), default="v3", help="Of which kind [v3].")
@click.option("--image", type=_FILE, help="A PNG to put the card into; else a plain one.")
def export(file: Path, spec: Any, image: Path | None) -> None:
    """Write the persona card as a character card: FILE.json or FILE.png.

    A PNG of V3 holds V2 too, for programs that know no other.
    """
    import json

    from persona import whole_file
    from persona.cards import character

    held = _held()
    if not held.text:
        raise PersonaError("there is no persona card yet", "`persona ingest` makes one from your messages")
    kind = file.suffix.lower()
    if kind not in (".json", ".png") or (image and kind != ".png"):
        raise click.UsageError("name a file that ends in .json, or in .png (for --image, too)")
    try:
        if kind == ".png":
            picture = image.read_bytes() if image else None
            whole_file.replace(file, character.as_png(held, spec, picture))
        else:
            whole_file.replace(
                file, json.dumps(character.as_json(held, spec), ensure_ascii=False, indent=2) + "\n"
            )
    except OSError as error:
        raise PersonaError(f"{error.filename or file}: {error.strerror}", "name another file") from None
    note(f"written: {file}; it says about you what the persona card says")


def _held() -> "PersonaCard":
    from persona import config, paths
    from persona.chat import opening
    from persona.chat.card import load_or_make

    with closing(opening.open_memory(config.load())) as memory:
        return load_or_make(paths.card_file(), memory)
