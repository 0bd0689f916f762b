"""`persona doctor`: is everything well here."""

from dataclasses import asdict

import click

from persona.cli.output import emit, json_option, say, table


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check the machine and the home, and say what to do."""
    from persona.lab.doctor import examine, suggest

    checks = examine()
    suggestion = suggest(checks)
    if as_json:
        emit({"checks": [asdict(c) for c in checks], "suggestion": suggestion})
        return
    table(["check", "status", "detail", "remedy"], [(c.name, c.status, c.detail, c.remedy) for c in checks])
    say(f"suggested here: model {suggestion['model']}")
    say(f"suggested to train: {suggestion['training_model']} with preset {suggestion['preset']}")
    if lines := [f"persona config set {key} {value}" for key, value in suggestion["settings"].items()]:
        say(f"best for the model that talks: {'; '.join(lines)}")
