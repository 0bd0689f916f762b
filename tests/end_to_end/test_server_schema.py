"""Requests made up from the OpenAPI document itself (schemathesis): none may end in a 5xx but 503."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from tiny_model import write_scripted_qwen3

from persona.chat.converting import Converter
from persona.chat.opening import open_engine
from persona.config import MemorySettings, ModelSettings, ServerSettings, Settings
from persona.server import run

CASES = 150
TOKEN = "a-long-enough-token"
SCHEMA = {"type": "object", "properties": {"urgent": {"type": "boolean"}}, "required": ["urgent"]}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of a tiny model, which cuts replies off early."""
    folder = tmp_path_factory.mktemp("schema")
    model = write_scripted_qwen3(folder / "short.gguf", ["In", " Porto", "<|im_end|>"])
    limits = ServerSettings(reply_seconds=0.5)
    configured = Settings(
        model=ModelSettings(name=str(model), threads=1),
        memory=MemorySettings(enabled=False),
        server=limits,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONA_HOME", str(folder / "home"))
        engine = open_engine(configured)
        bound = run.listen("127.0.0.1", 0)
    held: list[Any] = []
    options = {"bound": bound, "token": TOKEN, "converter": Converter(SCHEMA), "started": held.append}
    thread = threading.Thread(target=run.serve, args=(engine, "tiny", limits), kwargs=options)
    thread.start()
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    until_healthy(url)
    yield url
    held[0].should_exit = True
    thread.join(30)


def until_healthy(url: str) -> None:
    for _ in range(600):
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200:
                return
        threading.Event().wait(0.05)
    raise AssertionError("the server did not start")


@pytest.mark.slow
def test_no_request_that_the_document_allows_ends_in_a_server_error(
    address: str, record_property: Any, tmp_path: Path
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json", headers=headers)
    answers: Counter[tuple[str, int]] = Counter()
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 6

    for operation in operations:

        @settings(
            max_examples=CASES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            answer = case.call(headers=headers, timeout=60)
            answers[(case.operation.label, answer.status_code)] += 1
            assert answer.status_code < 500 or answer.status_code == 503, answer.text

        ask()
    told = {f"{label}: {status}": n for (label, status), n in sorted(answers.items())}
    record_property("answers", told)
    print(sum(answers.values()), "cases:", told)
    assert sum(answers.values()) > len(operations) * 10
    assert answers[("POST /v1/chat/completions", 200)]
