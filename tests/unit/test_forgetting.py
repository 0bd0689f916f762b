"""Forgetting: a person's words are in no file of the home any more, and no import brings them back."""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from knowledge.memory import MemoryStore
from persona import paths
from persona.chat.branching import fork
from persona.chat.card import load_or_make
from persona.chat.fact_book import FactBook
from persona.chat.left_out import leave_out, left_out
from persona.chat.opening import open_sessions
from persona.chat.turns import MemoryRef
from persona.cli.root import run

PLANTED = [f"Quarzfink{n:02}x" for n in range(12)]
CHAT = f"""\
[03/04/2024, 09:00:00] Lena Weber: the {PLANTED[0]} sings at dawn behind the old cement works
[03/04/2024, 09:01:00] Mira Sol: oh, i will listen
[03/04/2024, 09:02:00] Lena Weber: bring {PLANTED[1]} then
[03/04/2024, 09:05:00] Kofi Mensah: the ferry leaves at nine
[13/04/2024, 09:05:00] Mira Sol: tell Lena Weber about the {PLANTED[2]}
[14/04/2024, 09:05:00] Kofi Mensah: my boat is called Susi and she needs paint
"""
FLOOR = f"The {PLANTED[4]} hides beneath the third floorboard."
MAIL = f"""\
From lena@example.net Wed Apr 10 10:00:00 2024
From: Lena Weber <lena@example.net>
To: Mira Sol <mira@example.org>
Date: Wed, 10 Apr 2024 10:00:00 +0000
Message-ID: <one@example.net>
Subject: {PLANTED[3]}

The {PLANTED[4]} hides beneath the third floorboard.

From mira@example.org Thu Apr 11 10:00:00 2024
From: Mira Sol <mira@example.org>
To: Kofi Mensah <kofi@example.com>
Date: Thu, 11 Apr 2024 10:00:00 +0000
Message-ID: <two@example.org>
In-Reply-To: <one@example.net>
Subject: Re: floors

The carpenter comes on Friday.

> The {PLANTED[4]} hides beneath the third floorboard.

"""


@pytest.fixture
def exports(tmp_path: Path) -> list[Path]:
    chat, mail = tmp_path / "WhatsApp Chat with Everybody.txt", tmp_path / "mail.mbox"
    chat.write_text(CHAT, encoding="utf-8")
    mail.write_text(MAIL, encoding="utf-8")
    return [chat, mail]


@pytest.fixture
def home(persona_home: Path, exports: list[Path]) -> Path:
    """A home with an archive, its vectors, a chat with facts and summaries, and a training set."""
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        memory.ingest(exports, me=["Mira Sol"])
        memory.embed_pending()
        load_or_make(paths.card_file(), memory)
        memory.facts.by_rules()
        memory.facts.by_model("tiny", _says)
        shown = memory.messages(author="Lena Weber")[0]
    with closing(open_sessions()) as store:
        session = store.create()
        asked = store.add_user(session.id, "What sings at dawn?")
        refs = [MemoryRef(shown.id, 1, 0.5, "words: dawn")]
        said = store.add_reply(session.id, 1, text=f"A {PLANTED[0]} sings.", memories=refs, status="complete")
        more = store.add_user(session.id, "I live in Graz.")
        FactBook(store).learn([more])
        store.add_summary(
            session.id,
            strategy="extractive",
            turns=[asked, said],
            text=f"- (turn 1) me: A {PLANTED[0]} sings.",
        )
        store.add_summary(
            session.id, strategy="extractive", turns=[more], text="- (turn 2) user: I live in Graz."
        )
        named = store.create()
        told = store.add_user(named.id, f"My friend Lena Weber owns a {PLANTED[5]}.")
        FactBook(store).learn([told])
    data = paths.data_dir() / "training" / "dataset"
    data.mkdir(parents=True)
    rows = [
        _row(PLANTED[1], shown.id),
        _row("Paint the boat.", "whatsapp:other"),
        _row(FLOOR, "x", "Lena Weber"),
    ]
    (data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (data / "report.md").write_text(f"# Training data\n{PLANTED[1]}\n", encoding="utf-8")
    for name, source in (("twin-quality", shown.id), ("other", "whatsapp:other")):
        run_folder = paths.data_dir() / "training" / "runs" / name
        run_folder.mkdir(parents=True)
        (run_folder / "sources.json").write_text(json.dumps({"sources": [source]}), encoding="utf-8")
    return persona_home


def _says(instruction: str, text: str, schema: str) -> str:
    """What a model says that finds one fact, of Lena Weber's first message."""
    numbers = [n for n, line in enumerate(text.splitlines()[1:-1], 1) if "sings at dawn" in line]
    told = {
        "from": numbers,
        "about": "Lena Weber",
        "kind": "other",
        "confidence": 0.4,
        "since": "",
        "until": "",
    }
    told["fact"] = f"The {PLANTED[0]} sings at dawn near Lena Weber."
    return json.dumps({"facts": [told] if numbers else []})


def _row(text: str, source: str, partner: str = "Kofi") -> dict[str, Any]:
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "ok"}]
    return {"id": text, "messages": messages, "sources": [source], "partner": partner}


def left_in(home: Path, words: list[str]) -> dict[str, list[str]]:
    """Which words are still in the bytes of which file, in any common encoding."""
    found: dict[str, list[str]] = {}
    for file in home.rglob("*"):
        if not file.is_file():
            continue
        data = file.read_bytes().lower()
        for word in words:
            if any(word.lower().encode(code) in data for code in ("utf-8", "utf-16-le", "utf-16-be")):
                found.setdefault(str(file.relative_to(home)), []).append(word)
    return found


def forget(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["memory", "forget", *args, "--yes", "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def ingest(capsys: pytest.CaptureFixture[str], exports: list[Path]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["ingest", *map(str, exports), "--json"]) == 0
    total: dict[str, Any] = json.loads(capsys.readouterr().out)["total"]
    return total


def test_a_person_leaves_no_byte_and_does_not_come_back(
    home: Path, exports: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert {word for words in left_in(home, PLANTED).values() for word in words} == set(PLANTED[:6])
    done = forget(capsys, "--person", "Lena Weber", "--mentions")
    assert (done["messages"], done["vectors"], done["dataset_rows"]) == (4, 4, 2)
    assert (done["facts"], done["summaries"], done["adapters"]) == (2, 1, ["twin-quality"])
    assert left_in(home, [*PLANTED, "lena weber", "lena@example.net"]) == {}
    again = ingest(capsys, exports)
    assert (again["imported"], again["skipped"]["forgotten"], again["duplicates"]) == (0, 4, 4)
    for name in ("WhatsApp Chat with Lena Weber.txt", "lena_weber.txt"):
        named = exports[0].with_name(name)
        named.write_text(CHAT.splitlines()[0].replace("03/", "13/") + "\n", encoding="utf-8")
        assert ingest(capsys, [named])["skipped"] == {"forgotten": 1}
    assert left_in(home, [*PLANTED, "lena weber", "lena@example.net"]) == {}
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        assert next(m.text for m in memory.messages(author="Kofi Mensah")) == "the ferry leaves at nine"
        assert memory.embed_pending() == 0, "the vectors of what is left are kept"


def test_without_mentions_what_others_wrote_stays_and_is_listed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = forget(capsys, "--person", "lena@example.net")
    assert done["messages"] == 1, "a WhatsApp name is not proved to be an address"
    done = forget(capsys, "--person", "Lena Weber")
    # in a chat: what names her, and a question in words of hers alone that was answered from them
    assert (done["messages"], len(done["mentions"]), len(done["chat_mentions"])) == (2, 1, 2)
    left = {word for words in left_in(home, PLANTED).values() for word in words}
    assert left == {PLANTED[2], PLANTED[5]}


def test_what_was_said_in_their_name_in_a_chat_goes_with_them(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found by an audit: the name stood in the correspondent of turns and as the subject of their facts."""
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        place = memory.messages(author="Lena Weber")[0].conversation_id
    with closing(open_sessions()) as store:
        chat = store.create()
        spoken = store.add_user(
            chat.id, f"I live beside the {PLANTED[6]}.", correspondent="Lena Weber", channel="email"
        )
        store.add_reply(chat.id, 1, text="Lovely there.", status="complete")
        FactBook(store).learn([spoken])
        fork(store, chat.id)
        store.add_user(chat.id, "Are the gulls back?", channel=place)
        assert {fact.subject for fact in FactBook(store).told()} >= {"Lena Weber"}
    done = forget(capsys, "--person", "Lena Weber")
    assert spoken.id not in done["chat_mentions"], "it is no mention of yours"
    assert left_in(home, [PLANTED[6], "lovely there"]) == {}
    with closing(open_sessions()) as store:
        assert [(t.text, t.correspondent) for t in store.turns(chat.id)] == [("Are the gulls back?", None)]
        assert store.get(chat.id).title == "", "it was named by their words"
        assert {fact.subject for fact in FactBook(store).told()} == {None}
        assert store.turns(chat.id)[0].channel == place, "what others wrote there is still known"
    forget(capsys, "--conversation", place)
    with closing(open_sessions()) as store:
        assert store.turns(chat.id)[0].channel is None


def test_a_correction_that_names_them_goes_where_its_turn_does_not(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_sessions()) as store:
        book, chat = FactBook(store), store.create()
        told = store.add_user(chat.id, "My landlord is a sailor.")
        book.learn([told])
        [fact] = book.told(chat.id)
        book.correct(fact.id, f"My landlord is Lena Weber of the {PLANTED[7]}.")
        store.add_summary(
            chat.id,
            strategy="extractive",
            turns=[told],
            text=f"- (turn 1) user: My landlord is Lena Weber of the {PLANTED[7]}.",
        )
    done = forget(capsys, "--person", "Lena Weber", "--mentions")
    assert (done["facts"], done["summaries"]) == (3, 2)
    assert left_in(home, [PLANTED[7], "lena weber"]) == {}
    with closing(open_sessions()) as store:
        assert [fact.text for fact in FactBook(store).told(chat.id)] == ["My landlord is a sailor."]


def test_a_question_in_their_words_that_was_answered_from_theirs_is_a_mention(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A word that only they used stood in the owner's own question, which named nobody."""
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        shown = memory.messages(author="Lena Weber")[0]
    with closing(open_sessions()) as store:
        chat = store.create()
        store.add_user(chat.id, f"What is a {PLANTED[0]}?")
        refs = [MemoryRef(shown.id, 1, 0.5, f"words: {PLANTED[0]}")]
        store.add_reply(chat.id, 1, text="No idea.", memories=refs, status="complete")
        other = store.add_user(chat.id, "And who else?")
        left = MemoryRef("other", 1, 0.5, f"words: {PLANTED[0]}; person: Lena Weber")
        store.add_reply(chat.id, 2, text="Nobody.", memories=[left], status="complete")
    done = forget(capsys, "--person", "Lena Weber", "--mentions")
    assert len(done["chat_mentions"]) == 3
    assert left_in(home, [*PLANTED, "lena weber"]) == {}
    with closing(open_sessions()) as store:
        kept, reply = store.turns(chat.id)
        assert kept.id == other.id
        assert (reply.text, reply.memories) == ("Nobody.", (MemoryRef("other", 1, 0.5, ""),))


def test_a_killed_forgetting_is_brought_to_its_end(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("training_sets.clear", "chats.clear", "card.refresh", "training_sets.strike"):
        with monkeypatch.context() as patch:
            patch.setattr(f"persona.forgetting.{place}", _die)
            assert run(["memory", "forget", *([] if place != "training_sets.clear" else
                        ["--person", "Lena Weber", "--mentions", "--yes"])]) == 130  # fmt: skip
    assert run(["memory", "forget", "--json"]) == 0
    assert left_in(home, [*PLANTED, "lena weber"]) == {}


def _die(*_: object) -> None:
    raise KeyboardInterrupt


_KILLED = """
import os, signal, sys
from persona.cli.root import run

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def killed_at(place, args):
    if child := os.fork():
        return os.waitpid(child, 0)[1] == signal.SIGKILL
    module, _, name = place.rpartition(".")
    target = __import__("importlib").import_module(module.partition(":")[0])
    if ":" in module:
        target = getattr(target, module.partition(":")[2])
    setattr(target, name, die)
    run(args)
    os._exit(3)

first, *places = sys.argv[1:]
assert killed_at(first, ["memory", "forget", "--person", "Lena Weber", "--mentions", "--yes"]), first
for place in places:
    assert killed_at(place, ["memory", "forget"]), place
"""
"""Runs the command in forks of one process, each killed (SIGKILL) where it comes to a place named."""


def test_a_forgetting_killed_by_the_system_is_brought_to_its_end(
    home: Path, exports: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before = subprocess.run(
        [sys.executable, "-c", _KILLED, "knowledge.forgetting.touch"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert before.returncode == 0, before.stderr
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        assert memory.unfinished_forgetting() is None, "killed inside the transaction: nothing was begun"
        assert len(memory.messages(author="Lena Weber")) == 3
    places = [  # in the order in which they are come to
        "persona.whole_file.replace",
        "persona.chat.forgetting.unsummarise",
        "persona.chat.store:SessionStore.scrub",
        "shutil.rmtree",
        "knowledge.memory:MemoryStore.finish_forgetting",
        "knowledge.index:VectorIndex.take",
        "knowledge.archive:Archive.scrub",
    ]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, *places], check=False, capture_output=True, text=True
    )
    assert killed.returncode == 0, killed.stderr
    assert run(["memory", "forget", "--json"]) == 0
    assert left_in(home, [*PLANTED, "lena weber", "lena@example.net"]) == {}
    again = ingest(capsys, exports)
    assert (again["imported"], again["skipped"]["forgotten"]) == (0, 4)
    assert left_in(home, PLANTED) == {}


def test_what_a_killed_write_left_half_written_is_forgotten_too(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write = f"""
import os, signal
from persona import paths
from persona.whole_file import replacing
with replacing(paths.data_dir() / "training" / "rows.jsonl") as out:
    out.write("{PLANTED[7]}")
    out.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", write], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert left_in(home, [PLANTED[7]]), "the kill left its words behind"
    forget(capsys, "--person", "Lena Weber")
    assert left_in(home, [PLANTED[7]]) == {}


def test_a_conversation_a_source_and_a_message_are_forgotten(
    home: Path, exports: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        [ferry, boat] = memory.messages(author="Kofi Mensah")
    with closing(open_sessions()) as store:
        chat = store.create("ferries")
        leave_out(store, chat.id, ferry.id)
    assert forget(capsys, ferry.id)["messages"] == 1
    with closing(open_sessions()) as store:
        assert left_out(store, chat.id) == frozenset()
    assert forget(capsys, "--source", "email")["messages"] == 2
    assert forget(capsys, "--conversation", boat.conversation_id)["messages"] == 5
    assert left_in(home, ["ferry leaves", "carpenter", "Susi", "Kofi Mensah", *PLANTED[:5]]) == {}
    total = ingest(capsys, exports)
    assert (total["imported"], total["skipped"]["forgotten"]) == (0, 8)


def test_what_cannot_be_forgotten_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for args in (["--person", "Nobody"], ["--person", "Mira Sol"], ["m-none"], ["--source", "fax"]):
        assert run(["memory", "forget", *args, "--yes"]) == 1
    assert run(["memory", "forget", "--person", "Lena Weber"]) == 1, "nobody can be asked"
    assert "--yes" in capsys.readouterr().err
    assert run(["memory", "forget"]) == 2
    assert set(PLANTED[:5]) <= {word for words in left_in(home, PLANTED).values() for word in words}


NOOR = "Noor Haddad"
NOORS = f"""\
[03/04/2025, 09:00:00] {NOOR}: the {PLANTED[0]} is in the drawer with the stamps
[03/04/2025, 09:01:00] Mira Sol: got it
[03/04/2025, 09:02:00] {NOOR}: and never lend anybody the {PLANTED[1]}
[13/04/2025, 09:05:00] Mira Sol: i asked Noor Haddad about the {PLANTED[2]} yesterday
[13/04/2025, 09:06:00] Kofi Mensah: the gulls are back
"""
NOORS_MAIL = f"""\
From noor.haddad@example.org Wed Apr 10 10:00:00 2025
From: {NOOR} <noor.haddad@example.org>
To: Mira Sol <mira.sol@example.org>
Date: Thu, 10 Apr 2025 10:00:00 +0000
Message-ID: <planted-one@example.org>
Subject: The {PLANTED[3]}

The {PLANTED[4]} stays with my aunt until the end of the summer.

From mira.sol@example.org Fri Apr 11 10:00:00 2025
From: Mira Sol <mira.sol@example.org>
To: Kofi Mensah <kofi@example.com>
Date: Fri, 11 Apr 2025 10:00:00 +0000
Message-ID: <planted-two@example.org>
In-Reply-To: <planted-one@example.org>
Subject: Re: gulls

Monday, then.

> The {PLANTED[4]} stays with my aunt until the end of the summer.

"""


@pytest.mark.slow
def test_a_person_of_the_sample_twin_is_forgotten(
    sample_home: Path, persona_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve planted strings, and twelve words that only this person used, as what must not be left."""
    shutil.copytree(sample_home, persona_home)
    chat, mail = tmp_path / "WhatsApp Chat with Noor Haddad.txt", tmp_path / "planted.mbox"
    chat.write_text(NOORS, encoding="utf-8")
    mail.write_text(NOORS_MAIL, encoding="utf-8")
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        memory.ingest([chat, mail], me=["Mira Sol"])
        memory.embed_pending()
        assert memory.facts.by_rules().found
        load_or_make(paths.card_file(), memory)
        words = list(memory.plan_forgetting("person", NOOR, mentions=True).words)
        held = len(memory.messages(limit=None, include_all=True))
    _chat_about_noor(capsys)
    dataset = paths.data_dir() / "training" / "dataset"
    dataset.mkdir(parents=True)
    rows = [_row(PLANTED[9], "x", NOOR), _row("Paint the boat.", "y")]
    (dataset / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (dataset / "report.md").write_text(f"{PLANTED[10]}\n", encoding="utf-8")
    (paths.data_dir() / "ab" / "run").mkdir(parents=True)
    (paths.data_dir() / "ab" / "run" / "rows.jsonl").write_text(PLANTED[11], encoding="utf-8")
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        [first, *_] = memory.messages(author=NOOR, limit=None)
    for name, source in (("twin-quality", first.id), ("other", "whatsapp:other")):
        adapter = paths.data_dir() / "training" / "runs" / name
        adapter.mkdir(parents=True)
        (adapter / "sources.json").write_text(json.dumps({"sources": [source]}), encoding="utf-8")

    told = sorted(set(words) - {w.casefold() for w in PLANTED}, key=lambda word: (len(word), word))
    words = [*told[-12:], *PLANTED]
    assert {w for found in left_in(persona_home, words).values() for w in found} == set(words)
    done = forget(capsys, "--person", NOOR, "--mentions")
    assert done["adapters"] == ["twin-quality"]
    gone = [*words, "noor haddad", "noor.haddad@example.org"]
    assert left_in(persona_home, gone) == {}
    parts = [paths.sample_dir() / name for name in ("slack_export.zip", "mail.mbox", "notes")]
    total = ingest(capsys, [*parts, chat, mail])
    assert (total["imported"], total["skipped"]["forgotten"] > 0) == (0, True)
    assert left_in(persona_home, gone) == {}
    with closing(MemoryStore(paths.knowledge_dir())) as memory:
        assert len(memory.messages(limit=None, include_all=True)) == held - done["messages"]


def _chat_about_noor(capsys: pytest.CaptureFixture[str]) -> None:
    """Real turns of the starter: one that is shown Noor's words, and some that tell of her."""
    capsys.readouterr()
    # the owner's own words would stay where they name nobody
    assert run(["ask", "What is in the drawer with the stamps?", "--json", "--seed", "1"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert any(PLANTED[0] in m["text"] for m in shown["memories"]), "the planted message was shown"
    told = [
        f"My friend {NOOR} owns a {PLANTED[5]}.",
        f"I owe {NOOR} a {PLANTED[6]}.",
        f"{NOOR} wrote that the {PLANTED[7]} is hers.",
    ]
    for text in told:
        assert run(["ask", text, "--session", shown["session"], "--json", "--seed", "1"]) == 0
    assert run(["ask", f"Where is the {PLANTED[0]}?", "--json", "--seed", "1"]) == 0
    spoken = ["ask", f"I live beside the {PLANTED[6]}.", "--as-correspondent", NOOR]
    assert run([*spoken, "--json", "--seed", "1"]) == 0
    capsys.readouterr()
    with closing(open_sessions()) as store:
        turns = store.turns(shown["session"])
        store.add_summary(
            shown["session"],
            strategy="extractive",
            turns=turns[2:4],
            text=f"- (turn 2) user: My friend {NOOR} owns a {PLANTED[5]}.",
        )
        store.keep_draft(shown["session"], f"ask {NOOR} for the {PLANTED[8]}")
