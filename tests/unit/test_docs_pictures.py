"""Pictures of the docs: each is shown on a page, and each that a page shows is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_picture_is_shown_and_there() -> None:
    shown = {
        (page.parent / link).resolve()
        for page in (ROOT / "README.md", *ROOT.glob("docs/*.md"))
        for link in re.findall(r"!\[[^]]*\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in link
    }
    assert [str(file) for file in shown if not file.exists()] == []
    assert set(ROOT.glob("docs/screenshots/*.svg")) - shown == set()
