"""An import with embedding that is killed and taken up again ends as if nothing had happened."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from measure_import import generate
from measure_kills import measure


@pytest.mark.slow
def test_an_import_that_is_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    export = tmp_path / "slack.zip"
    generate(export, 120, seed=3)
    assert measure(export, tmp_path, kills=3, seed=3, together=True) == []
