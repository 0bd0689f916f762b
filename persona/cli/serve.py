"""`persona serve`: the twin behind an OpenAI-compatible API."""

from pathlib import Path

import click

from persona.cli.ask import note_starter
from persona.cli.output import note


@click.command()
@click.option(
    "--host", metavar="ADDRESS", help="Listen there [127.0.0.1]; any other machine's needs a token."
)
@click.option(
    "--port", metavar="N", type=click.IntRange(0, 65535), help="Listen there [8008]; 0 takes a free one."
)
@click.option("--model", metavar="NAME_OR_PATH", help="Talk with this model.")
@click.option(
    "--schema",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A JSON schema: POST /api/convert puts texts into it.",
)
def serve(host: str | None, port: int | None, model: str | None, schema: Path | None) -> None:
    """Answer on HTTP as OpenAI's API does, until ctrl+c.

    With PERSONA_SERVE_TOKEN set, clients must send it as their API key.
    """
    from persona import config
    from persona.chat.converting import Converter
    from persona.chat.opening import open_engine
    from persona.server import run

    settings = config.load()
    host = host or settings.server.host
    token = run.token_for(host)
    converter = Converter.read(schema) if schema else None
    name = model or settings.model.name
    bound = run.listen(host, settings.server.port if port is None else port)
    with bound:
        engine = open_engine(settings, model=model)
        note_starter(name)
        where = f"[{host}]" if ":" in host else host
        note(f"listening on http://{where}:{bound.getsockname()[1]} (ctrl+c ends it)")
        known_as = Path(name).name.removesuffix(".gguf")
        run.serve(engine, known_as, settings.server, bound=bound, token=token, converter=converter)
