"""Requests made up from the OpenAPI document itself (schemathesis): none may end in a 5xx but 503."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from served import TOKEN, serving
from tiny_model import write_scripted_qwen3

from persona.chat.opening import open_engine
from persona.config import MemorySettings, ModelSettings, ServerSettings, Settings

CASES = 150
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
    with serving(engine, limits=limits, schema=SCHEMA) as running:
        yield running.address


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
