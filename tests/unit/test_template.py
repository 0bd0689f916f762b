"""Chat templates, rendered as transformers renders them, and where the history ends."""

from pathlib import Path

import pytest

from persona import paths
from persona.backends.base import ChatMessage
from persona.backends.template import ChatTemplate
from persona.errors import ModelError

QWEN3 = Path(paths.__file__).parent / "backends" / "templates" / "qwen3.jinja"
SYSTEM, HELLO, REPLY = (
    ChatMessage("system", "S"),
    ChatMessage("user", "Hello"),
    ChatMessage("assistant", "Hi"),
)


@pytest.fixture(scope="module")
def qwen3() -> ChatTemplate:
    return ChatTemplate(QWEN3.read_text(encoding="utf-8"))


def test_the_thinking_toggle_acts_on_the_generation_prompt_only(qwen3: ChatTemplate) -> None:
    head = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert qwen3.prompt([SYSTEM, HELLO], thinking=True) == head
    assert qwen3.prompt([SYSTEM, HELLO], thinking=False) == head + "<think>\n\n</think>\n\n"


def test_the_history_is_what_the_next_prompt_begins_with(qwen3: ChatTemplate) -> None:
    history = qwen3.history([SYSTEM, HELLO, REPLY], thinking=False)
    assert "<think>" not in history
    for thinking in (True, False):
        following = qwen3.prompt([SYSTEM, HELLO, REPLY, ChatMessage("user", "Bye")], thinking)
        assert following.startswith(history)
    assert history.endswith("assistant\nHi<|im_end|>\n<|im_start|>user\n")


def test_history_of_a_system_message_alone_and_of_nothing(qwen3: ChatTemplate) -> None:
    assert qwen3.history([SYSTEM], thinking=False) == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n"
    assert qwen3.history([], thinking=False) == ""


def test_an_open_user_message_stays_open(qwen3: ChatTemplate) -> None:
    history = qwen3.history([SYSTEM, HELLO], thinking=False)
    assert qwen3.prompt([SYSTEM, HELLO], thinking=False).startswith(history)
    assert history.endswith("Hello<|im_end|>\n")


def test_it_renders_as_transformers_does(qwen3: ChatTemplate) -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    messages = [SYSTEM, HELLO, REPLY, ChatMessage("user", "{{ 1 }} <b> 'é'")]
    for thinking in (True, False):
        (theirs,), _ = render_jinja_template(
            conversations=[[{"role": m.role, "content": m.content} for m in messages]],
            chat_template=QWEN3.read_text(encoding="utf-8"),
            add_generation_prompt=True,
            enable_thinking=thinking,
        )
        assert qwen3.prompt(messages, thinking) == theirs


def test_helpers_that_templates_expect() -> None:
    template = ChatTemplate(
        "{{ bos_token }}{{ messages[0].content | tojson }}{{ strftime_now('%Y') | length }}", bos="<s>"
    )
    assert template.prompt([ChatMessage("user", 'é "q" <b>')], thinking=False) == '<s>"é \\"q\\" <b>"4'


def test_a_template_that_refuses_is_an_error_with_a_hint() -> None:
    template = ChatTemplate("{{ raise_exception('system role not supported') }}")
    with pytest.raises(ModelError, match="system role not supported") as refused:
        template.prompt([HELLO], thinking=False)
    assert refused.value.hint


def test_a_broken_template_is_an_error() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        ChatTemplate("{% if %}")


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    template = ChatTemplate("{{ messages.__class__.__mro__ }}")
    with pytest.raises(ModelError):
        template.prompt([HELLO], thinking=False)


def test_the_committed_template_is_the_shared_tokenizer_s(shared_data: Path) -> None:
    upstream = shared_data / "qwen3-tokenizer" / "chat_template.jinja"
    assert QWEN3.read_text(encoding="utf-8") == upstream.read_text(encoding="utf-8")
