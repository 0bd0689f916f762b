"""What keeping a long chat within its budget costs: Persona's folding beside LangChain's two summarisers.

    python scripts/compare_langchain.py [--turns 200] [--budget 1400] [--seed 0] [--json]

Nothing is installed into the project: LangChain (langchain, langchain-classic) goes into a virtual
environment of its own under a temporary folder, which is gone afterwards; that needs a network, or a pip
cache.

The same script everywhere: `ab generate`'s turns of 60 to 120 tokens, with replies of such talk. Everything
is counted in the starter's tokens. The budget is for summary and earlier turns together, in every row:

- ConversationSummaryBufferMemory: max_token_limit is the budget less the room of the summary, which it does
  not count;
- SummarizationMiddleware: trigger=("tokens", budget); kept are as many tokens as Persona's low mark keeps,
  and in a row of its own the 20 messages of its default;
- Persona: chat.history_tokens is the budget; both strategies, idle work after every turn.

No model writes: a scripted one says the first dozen words of every line it is given, the newest that fit
(35 % of the budget at most, Persona's own share). So calls, what they read and write and what the prompts
hold are told, and nothing of how good a summary is. prompt tokens in all: history and new message of every
turn together; rules, card and memories, which LangChain leaves to others, are not in it. read anew: tokens
of the history that follow the first difference from the prompt before, which an engine with a prefix cache
has to evaluate again or for the first time.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NEEDED = ("langchain>=1.0,<2", "langchain-classic>=1.0,<2")
_INSIDE = "--inside"
_WORDS = 12


@dataclass(slots=True)
class Row:
    """What one way gave. history: tokens of summary and earlier turns in each prompt. asked: of all new
    messages together, the same in every row and counted in the first."""

    calls: int = 0
    read: int = 0
    written: int = 0
    history: list[int] = field(default_factory=list)
    anew: int = 0
    asked: int = 0

    def count(self, prompt: int, summary: int) -> None:
        """One call of the summariser."""
        self.calls += 1
        self.read += prompt
        self.written += summary


Count = Callable[[str], int]


def shorten(text: str, most: int, count: Count) -> str:
    """The scripted summary: the first words of each line, the newest that fit."""
    kept: list[str] = []
    for line in reversed([line for line in text.splitlines() if line.strip()]):
        short = " ".join(line.split()[:_WORDS])
        if count("\n".join([*kept, short])) > most:
            break
        kept.append(short)
    return "\n".join(reversed(kept))


class Prompts:
    """Counts what each prompt's history holds, and how much of it is not a beginning of the one before."""

    def __init__(self, row: Row, count: Count) -> None:
        self._row = row
        self._count = count
        self._before: Sequence[str] = ()

    def add(self, history: Sequence[str]) -> None:
        """The history of one prompt, summary first, one text a message."""
        same = 0
        while same < min(len(history), len(self._before)) and history[same] == self._before[same]:
            same += 1
        self._row.history.append(sum(self._count(text) for text in history))
        self._row.anew += sum(self._count(text) for text in history[same:])
        self._before = list(history)


def script(turns: int, seed: int) -> list[tuple[str, str]]:
    """Messages and replies."""
    from persona.lab.ab.generate import script as generated

    rows = generated(turns, min(60, turns * 3 // 10), seed, replies=True)
    return [(row["user"], row["reply"]) for row in rows if "user" in row]


def persona_row(talk: Sequence[tuple[str, str]], budget: int, strategy: Any, backend: Any) -> Row:
    """The chat under Persona's own folding."""
    from persona.backends.base import Done, Event, Prompt, Sampling, TextDelta, Usage
    from persona.chat.abstract import INSTRUCTION
    from persona.chat.card import PersonaCard
    from persona.chat.engine import Engine
    from persona.chat.events import PromptReady, TurnRequest
    from persona.chat.store import SessionStore
    from persona.config import ChatSettings, MemorySettings, Settings

    row = Row()

    class Scripted:
        """Counts as the real backend, and says what the script says."""

        reply = ""
        info = replace(backend.info, context=8192, trained_context=8192, memory_tokens=None)
        count_tokens = staticmethod(backend.count_tokens)
        count_prompt = staticmethod(backend.count_prompt)
        default_sampling = staticmethod(backend.default_sampling)

        def stream(self, prompt: Prompt, sampling: Sampling, cancel: threading.Event) -> Iterator[Event]:
            """A summary where one is asked for, else the reply."""
            said, read = self.reply, backend.count_prompt(prompt)
            if prompt.messages[0].content == INSTRUCTION:
                turns = prompt.messages[1].content.splitlines()[1:-2]
                said = shorten("\n".join(f"- {t}" for t in turns), sampling.max_tokens, backend.count_tokens)
                row.count(read, backend.count_tokens(said))
            yield TextDelta(said)
            yield Usage(read, 0, backend.count_tokens(said), 0.0, 0.0)
            yield Done("stop")

        def prefill(self, prompt: Prompt, cancel: threading.Event) -> int:
            """Nothing is evaluated here."""
            return 0

        def close(self) -> None:
            """Nothing is held."""

    class Nothing:
        """No archive."""

        def search(self, *_: Any, **__: Any) -> list[Any]:
            """Nothing is known."""
            return []

        def close(self) -> None:
            """Nothing is open."""

    prompts, scripted = Prompts(row, backend.count_tokens), Scripted()
    chat = ChatSettings(history_tokens=budget, compression=strategy)
    settings = Settings(chat=chat, memory=MemorySettings(enabled=False, budget_tokens=0))
    with closing(SessionStore(Path(":memory:"))) as sessions:
        parts: Any = {"memory": Nothing(), "backend": scripted}
        engine = Engine(sessions=sessions, settings=settings, card=PersonaCard("Mira", ""), **parts)
        session = sessions.create().id
        for text, reply in talk:
            scripted.reply = reply
            events = list(engine.turn(TurnRequest(text, session)))
            [ready] = [e for e in events if isinstance(e, PromptReady)]
            system, *turns = (m.content for m in ready.prompt.messages[:-1])
            prompts.add([system.partition("Earlier in this chat:\n")[2], *turns])
            engine.idle(session)
    return row


def langchain_model(row: Row, most: int, count: Count) -> Any:
    """A chat model of LangChain's that summarises by the script, and is counted."""
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    class Scripted(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "scripted"

        def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Any = None) -> int:
            return sum(count(str(m.content)) for m in messages)

        def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
            asked = "\n".join(str(m.content) for m in messages)
            # what is to be summarised comes after the last of these, and after the instructions' examples
            told = re.split(r"Current summary:\n|Messages to summarize:\n", asked)[-1]
            told = re.sub(r"<[^>]+>|New lines of conversation:|New summary:", "", told)
            said = shorten(told, most, count)
            row.count(count(asked), count(said))
            return ChatResult(generations=[ChatGeneration(message=AIMessage(said))])

    return Scripted()


def buffer_row(talk: Sequence[tuple[str, str]], budget: int, most: int, count: Count) -> Row:
    """The chat under ConversationSummaryBufferMemory."""
    from langchain_classic.memory import ConversationSummaryBufferMemory

    row = Row()
    prompts = Prompts(row, count)
    memory = ConversationSummaryBufferMemory(
        llm=langchain_model(row, most, count), max_token_limit=budget - most, return_messages=True
    )
    for text, reply in talk:
        prompts.add([str(m.content) for m in memory.load_memory_variables({})["history"]])
        memory.save_context({"input": text}, {"output": reply})
    return row


def middleware_row(
    talk: Sequence[tuple[str, str]], budget: int, most: int, keep: tuple[Any, int] | None, count: Count
) -> Row:
    """The chat under SummarizationMiddleware, called before every reply as an agent calls it."""
    from langchain.agents.middleware import SummarizationMiddleware
    from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage

    row = Row()
    prompts = Prompts(row, count)
    middleware = SummarizationMiddleware(
        langchain_model(row, most, count),
        trigger=("tokens", budget),
        token_counter=lambda messages: sum(count(str(m.content)) for m in messages),
        **({"keep": keep} if keep else {}),
    )
    messages: list[BaseMessage] = []
    state: Any
    for text, reply in talk:
        messages.append(HumanMessage(text))
        state = {"messages": messages}
        if update := middleware.before_model(state, None):  # type: ignore[arg-type]
            messages = [m for m in update["messages"] if not isinstance(m, RemoveMessage)]
        prompts.add([str(m.content) for m in messages[:-1]])
        messages.append(AIMessage(reply))
    return row


def compare(turns: int, budget: int, seed: int) -> dict[str, Row]:
    """Every way over the same talk."""
    from persona import paths
    from persona.backends.llama_cpp import LlamaCppBackend
    from persona.chat.manager import SUMMARY_SHARE
    from persona.config import ChatSettings, ModelSettings

    talk, most = script(turns, seed), int(SUMMARY_SHARE * budget)
    kept = int(ChatSettings().low_mark * budget)
    with closing(LlamaCppBackend(paths.starter_model(), ModelSettings(threads=1))) as backend:
        count = lru_cache(maxsize=None)(backend.count_tokens)
        whole = Row()
        prompts = Prompts(whole, count)
        for n, (text, _) in enumerate(talk):
            prompts.add([text for pair in talk[:n] for text in pair])
            whole.asked += count(text)
        return {
            "everything": whole,
            "ConversationSummaryBufferMemory": buffer_row(talk, budget, most, count),
            f"SummarizationMiddleware, keep {kept} tokens": middleware_row(
                talk, budget, most, ("tokens", kept), count
            ),
            "SummarizationMiddleware, keep 20 messages": middleware_row(talk, budget, most, None, count),
            "Persona, extractive": persona_row(talk, budget, "extractive", backend),
            "Persona, abstractive": persona_row(talk, budget, "abstractive", backend),
        }


def run_inside(arguments: Sequence[str]) -> int:
    """This script again, in an environment of its own that holds LangChain beside the project's packages."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        python = Path(folder) / ("Scripts" if os.name == "nt" else "bin") / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", *NEEDED]
        subprocess.run(pip, check=True)
        site = subprocess.run(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        # the project's own packages come after, for counting and for its side of the comparison
        (Path(site) / "project.pth").write_text(
            f"{ROOT}\n{sysconfig.get_path('purelib')}\n", encoding="utf-8"
        )
        return subprocess.run([str(python), __file__, *arguments, _INSIDE], check=False).returncode


def main() -> int:
    """Compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--budget", type=int, default=1400, help="tokens of summary and earlier turns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(_INSIDE, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.inside:
        return run_inside(sys.argv[1:])
    warnings.simplefilter("ignore")  # both classes announce their successors
    found = compare(given.turns, given.budget, given.seed)
    if given.json:
        print(json.dumps({name: asdict(row) for name, row in found.items()}, indent=2))
        return 0
    print(
        "| | summariser calls | tokens read + written by them | history tokens, median (most)"
        " | prompt tokens in all | read anew |"
    )
    print("|---|---|---|---|---|---|")
    asked = found["everything"].asked
    for name, row in found.items():
        print(
            f"| {name} | {row.calls} | {row.read:,} + {row.written:,} "
            f"| {statistics.median(row.history):,.0f} ({max(row.history):,}) "
            f"| {sum(row.history) + asked:,} | {row.anew:,} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
