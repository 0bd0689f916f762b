"""An engine's threads give way where another program has the cores, unless the user has settled it."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_how_long_threads_spin_is_settled_before_an_engine_loads(
    given: dict[str, str], expected: str
) -> None:
    settled = {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}
    environment = {name: value for name, value in os.environ.items() if name not in settled} | given
    asked = "import os, sys, persona.backends.llama_cpp; assert 'llama_cpp' not in sys.modules; "
    found = subprocess.run(
        [sys.executable, "-c", asked + "print(os.environ.get('GOMP_SPINCOUNT'))"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == expected
