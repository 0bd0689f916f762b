"""`persona config`: settings, and where each came from."""

import click

from persona.cli.output import emit, json_option, say, table


@click.group()
def config() -> None:
    """Show and change settings."""


@config.command()
@json_option
def show(as_json: bool) -> None:
    """Show every setting and where it came from."""
    from persona.config import show as settings_in_force

    rows = settings_in_force()
    if as_json:
        emit({r.key: {"value": r.value, "source": r.source, "where": r.where or None} for r in rows})
        return
    table(
        ["setting", "value", "from", "meaning"], [(r.key, r.value, r.where or r.source, r.help) for r in rows]
    )


@config.command("set")
@click.argument("key")
@click.argument("value")
@json_option
def set_(key: str, value: str, as_json: bool) -> None:
    """Write one setting, such as `chat.thinking true`, into the settings file."""
    from persona import paths
    from persona.config import set_value

    stored = set_value(key, value)
    if as_json:
        emit({"key": key, "value": stored, "file": str(paths.config_file())})
    else:
        say(f"{key} = {stored} in {paths.config_file()}")


@config.command()
@json_option
def path(as_json: bool) -> None:
    """Show where the settings file is (it need not exist)."""
    from persona import paths

    file = paths.config_file()
    if as_json:
        emit({"path": str(file), "exists": file.exists()})
    else:
        say(str(file))
