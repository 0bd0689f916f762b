"""The `persona` command: one small module for each subcommand group, loaded when it is used."""

from persona.cli.root import main

__all__ = ["main"]
