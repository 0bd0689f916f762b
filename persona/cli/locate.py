"""`persona locate`: every folder in use."""

import click

from persona.cli.output import emit, json_option, table


@click.command()
@json_option
def locate(as_json: bool) -> None:
    """Show every folder and file in use."""
    from persona import paths

    home = paths.home()
    places = {
        "home": str(home) if home else None,
        "config": str(paths.config_file()),
        "env": str(paths.env_file()),
        "data": str(paths.data_dir()),
        "knowledge": str(paths.knowledge_dir()),
        "sessions": str(paths.sessions_file()),
        "card": str(paths.card_file()),
        "models": str(paths.models_dir()),
        "state": str(paths.state_dir()),
        "log": str(paths.log_file()),
        "bundled": str(paths.bundled()),
        "sample": str(paths.sample_dir()),
    }
    if as_json:
        emit(places)
    else:
        table(["what", "where"], list(places.items()))
