"""Notes: titles, dates, links, frontmatter."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export_samples import read_one, read_path, write_folder

from knowledge.records import Message


def note(folder: Path, content: str | bytes, name: str = "note.md") -> Message:
    return read_one(write_folder(folder, {name: content}) / name)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("see [[Lisbon trip]]", "see Lisbon trip"),
        ("see [[Lisbon trip|the trip]]", "see the trip"),
        ("see [[ Lisbon | the trip ]]", "see the trip"),
        ("![[map.png]]", "map.png"),
        ("open %%not for you%% end", "open  end"),
        ("one %%two\nlines%% three", "one  three"),
        ("`[[kept]]` and [[cut]]", "`[[kept]]` and cut"),
        ("```\n[[kept]]\n```\n[[cut]]", "```\n[[kept]]\n```\ncut"),
        ("[[unclosed link", "[[unclosed link"),
        ("![[Not valid.]", "![[Not valid.]"),
    ],
)
def test_links_embeds_and_comments(written: str, read: str, tmp_path: Path) -> None:
    message = note(tmp_path, written)
    assert message.text == read
    assert (message.raw or message.text) == written


def test_the_frontmatter_is_no_text_but_gives_date_and_title(tmp_path: Path) -> None:
    message = note(
        tmp_path, '---\ntitle: "Moving"\ndate: 2024-03-12T09:30:00+01:00\ntags: [a]\n---\n\nBoxes.\n'
    )
    assert (message.text, message.conversation) == ("Boxes.", "Moving")
    assert message.sent_at == datetime(2024, 3, 12, 8, 30, tzinfo=UTC)
    assert message.flags == ()


@pytest.mark.parametrize(
    ("name", "content", "day"),
    [
        ("2024-03-12 walk.md", "x", 12),
        ("20240313.md", "x", 13),
        ("2024-03-12.md", "---\ncreated: 2024-03-14\n---\nx", 14),
        ("2024-03-12.md", "---\ndate: no idea\n---\nx", 12),
    ],
)
def test_the_date_comes_from_frontmatter_then_from_the_name(
    name: str, content: str, day: int, tmp_path: Path
) -> None:
    message = note(tmp_path, content, name)
    assert message.sent_at == datetime(2024, 3, day, tzinfo=UTC)
    assert "date-guessed" not in message.flags


@pytest.mark.parametrize("name", ["walk.md", "2024-13-45.md", "invoice 12345678901.md"])
def test_else_from_the_file_and_flagged_as_a_guess(name: str, tmp_path: Path) -> None:
    write_folder(tmp_path, {name: "x"})
    os.utime(tmp_path / name, (1_600_000_000, 1_600_000_000))
    message = read_one(tmp_path / name)
    assert message.sent_at == datetime.fromtimestamp(1_600_000_000, UTC)
    assert message.flags == ("date-guessed",)


def test_a_vault_gives_every_non_empty_note_once_even_with_embed_cycles(tmp_path: Path) -> None:
    files = {
        ".obsidian/app.json": "{}",
        ".trash/old.md": "deleted",
        "A.md": "![[B]]",
        "B.md": "![[A]]",
        "dir/A.md": "same name",
        "empty.md": " \n",
        "only-front.md": "---\na: b\n---\n",
        "map.png": b"\x89PNG",
    }
    messages, [report] = read_path(write_folder(tmp_path, files))
    assert {m.id: m.text for m in messages} == {
        "notes:A.md": "B",
        "notes:B.md": "A",
        "notes:dir/A.md": "same name",
    }
    assert (report.seen, dict(report.skipped), report.failed) == (5, {"empty": 2}, 0)


def test_every_note_is_the_owners(tmp_path: Path) -> None:
    assert note(tmp_path, "x").author.id == "notes:owner"


@pytest.mark.parametrize(
    "data", ["Grüße".encode("utf-8-sig"), "Grüße".encode("cp1252"), "Grüße".encode("utf-16")]
)
def test_any_usual_encoding(data: bytes, tmp_path: Path) -> None:
    assert note(tmp_path, data, "note.txt").text == "Grüße"
