"""Conversations with models: the owner's side is theirs, the model's never."""

import json
from pathlib import Path

from export_samples import chatgpt_chat, chatgpt_node, claude_chat, claude_message, read_path, write_folder

from knowledge.memory import MemoryStore
from knowledge.records import Kind, Message


def read(folder: Path, *chats: object) -> list[Message]:
    return read_path(write_folder(folder, {"conversations.json": json.dumps(chats)}))[0]


def test_who_is_who_in_chatgpt(tmp_path: Path) -> None:
    hidden = {"is_visually_hidden_from_conversation": True}
    thoughts = {"content_type": "thoughts", "text": "hm"}
    messages = read(
        tmp_path,
        chatgpt_chat(
            chatgpt_node("You are helpful", 1, "system", metadata=hidden),
            chatgpt_node("When is the ferry?", 2),
            chatgpt_node("", 3, "assistant", content=thoughts),
            chatgpt_node("At ten.", 4, "assistant"),
            chatgpt_node("", 5, "assistant"),
        ),
    )
    assert [(m.text, m.kind, m.author.name) for m in messages] == [
        ("You are helpful", Kind.SYSTEM, "ChatGPT's system"),
        ("When is the ferry?", Kind.SPEECH, "me"),
        ("hm", Kind.SYSTEM, "ChatGPT's system"),
        ("At ten.", Kind.BOT, "ChatGPT"),
    ]
    assert {m.conversation for m in messages} == {"Ferries"}


def test_another_branch_is_kept_and_marked(tmp_path: Path) -> None:
    edited = chatgpt_node("first try", 2)
    last = {**chatgpt_node("second try", 3), "parent": "m1"}
    messages = read(tmp_path, chatgpt_chat(chatgpt_node("hello"), edited, last))
    assert [(m.text, m.flags) for m in messages] == [
        ("hello", ()),
        ("first try", ("superseded",)),
        ("second try", ()),
    ]


def test_pictures_and_pasted_code_are_not_the_owners_words(tmp_path: Path) -> None:
    parts = [
        {"content_type": "image_asset_pointer", "asset_pointer": "file://x"},
        "What is this?\n```\ncode\n```",
    ]
    content = {"content_type": "multimodal_text", "parts": parts}
    [message] = read(tmp_path, chatgpt_chat(chatgpt_node(content=content)))
    assert (message.text, message.flags) == ("What is this?", ("files",))
    assert "code" in (message.raw or "")


def test_who_is_who_in_claude(tmp_path: Path) -> None:
    blocks = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "At ten."}]
    messages = read(
        tmp_path,
        claude_chat(
            claude_message("When?"),
            claude_message("x", 2, sender="assistant", content=blocks),
            claude_message("flat", 3, content=[]),
            claude_message("", 4),
        ),
    )
    assert [(m.text, m.kind, m.author.name) for m in messages] == [
        ("When?", Kind.SPEECH, "me"),
        ("At ten.", Kind.BOT, "Claude"),
        ("flat", Kind.SPEECH, "me"),
    ]


def test_the_owner_of_an_ai_chat_is_known_without_being_named(tmp_path: Path) -> None:
    chat = claude_chat(claude_message("When?"), claude_message("At ten.", 2, sender="assistant"))
    path = write_folder(tmp_path / "in", {"conversations.json": json.dumps([chat])})
    memory = MemoryStore(tmp_path / "home")
    memory.ingest([path])
    owner = memory.owner()
    memory.close()
    assert owner is not None
