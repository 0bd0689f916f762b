"""Accounts of one person in many sources."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from export_samples import (
    discord_file,
    discord_record,
    git_commit,
    github_comment,
    mail_text,
    slack_files,
    slack_record,
    write_folder,
)

from knowledge.errors import ArchiveError
from knowledge.memory import MemoryStore

SLACK, MAIL, DISCORD = "slack:U1", "email:mira@example.org", "discord:77"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    """Mira on Slack and by mail under one address, and on Discord under none; Jonas on Slack."""
    store = MemoryStore(tmp_path / "knowledge")
    talk = slack_files(slack_record("from slack"), slack_record("hi", "1710240001.000100", user="U2"))
    files = {
        **{f"slack/{name}": text for name, text in talk.items()},
        "hello.eml": mail_text("from mail"),
        "talk.json": discord_file(discord_record("from discord")),
    }
    store.ingest([write_folder(tmp_path / "in", files)])
    yield store
    store.close()


def accounts(store: MemoryStore) -> set[frozenset[str]]:
    return {frozenset(person.identity_ids) for person in store.people()}


def test_the_same_mail_address_is_the_same_person(store: MemoryStore) -> None:
    assert accounts(store) == {frozenset({SLACK, MAIL}), frozenset({DISCORD}), frozenset({"slack:U2"})}
    mira = next(person for person in store.people() if MAIL in person.identity_ids)
    assert (mira.name, mira.messages, mira.is_self) == ("Mira Sol", 2, False)


def test_a_name_finds_what_was_said_in_all_accounts(store: MemoryStore) -> None:
    assert {m.text for m in store.messages(author="U1")} == {"from slack", "from mail"}


def test_whoever_owns_one_account_owns_all(store: MemoryStore) -> None:
    store.set_owner(["mira@example.org"])
    assert {m.text for m in store.own_speech()} == {"from slack", "from mail"}
    store.merge_people(["Mira Sol", "mira.sol"])
    assert {m.text for m in store.own_speech()} == {"from slack", "from mail", "from discord"}


def test_people_are_merged_for_good(store: MemoryStore, tmp_path: Path) -> None:
    merged = store.merge_people(["mira.sol", SLACK])
    assert set(merged.identity_ids) == {SLACK, MAIL, DISCORD}
    store.ingest([tmp_path / "in"])
    assert frozenset({SLACK, MAIL, DISCORD}) in accounts(store)
    assert store.merge_people([DISCORD, "U2"]).messages == 4
    assert len(accounts(store)) == 1


@pytest.mark.parametrize("names", [["Mira Sol", "Nobody Atall"], ["Jonas Berg"], ["U2", "U2"]])
def test_what_cannot_be_merged_is_said_and_changes_nothing(store: MemoryStore, names: list[str]) -> None:
    before = accounts(store)
    with pytest.raises(ArchiveError):
        store.merge_people(names)
    assert accounts(store) == before


def test_a_name_that_reads_like_an_address_proves_nothing(store: MemoryStore, tmp_path: Path) -> None:
    author = {"id": "99", "name": "mira@example.org", "nickname": "mira@example.org", "isBot": False}
    said = discord_file(discord_record("it is me, really", 5, author=author), id="12")
    mail = mail_text("me too", "<9@x.org>", '"mira@example.org" <evil@x.org>')
    store.ingest([write_folder(tmp_path / "evil", {"a.json": said, "b.eml": mail})])
    assert frozenset({SLACK, MAIL}) in accounts(store)


def test_machines_that_write_for_many_are_nobody(store: MemoryStore, tmp_path: Path) -> None:
    users = [{"id": f"U{n}", "profile": {"display_name": n, "email": "noreply@x.org"}} for n in "89"]
    talk = [slack_record("text", f"171024000{n}.000100", user=f"U{n}") for n in "89"]
    files = slack_files(*talk, users=users)
    store.ingest([write_folder(tmp_path / "bots", files)])
    assert {frozenset({"slack:U8"}), frozenset({"slack:U9"})} <= accounts(store)


def test_commits_with_the_address_that_github_gives_are_those_of_its_account(tmp_path: Path) -> None:
    comment = github_comment("looks good", user={"login": "Mira", "id": 7, "type": "User"})
    author = "Mira Sol <7+Mira@users.noreply.github.com>"
    files = {"comments.json": json.dumps([comment]), "log.txt": git_commit("Mend the pier", author=author)}
    store = MemoryStore(tmp_path / "knowledge")
    store.ingest([write_folder(tmp_path / "in", files)])
    assert accounts(store) == {frozenset({"github:7", "git:7+mira@users.noreply.github.com"})}
    store.close()
