"""Feed every importer what no program wrote, guided by the lines it reaches.

    python scripts/fuzz_importers.py [--minutes 60] [--only SOURCE] [--keep FOLDER] [--samples FOLDER]

Begins with the small exports of each kind that the tests use, and with the small files of a folder (real
exports, say). An input that reaches a new step from one line of the importers to another joins the corpus
and is changed further. An input fails when anything is raised, when a record is not accounted for, when the
archive cannot store what came out, or when it takes too long; it is kept in `--keep` as a folder to import,
with the traceback beside it. Prints one line a minute, then the number of inputs and of failures; the exit
code is 1 when there were any.

With the extra `fuzz` installed (atheris), `--atheris` lets libFuzzer choose the inputs.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / part) for part in ("", "contract", "unit"))]

from export_samples import slack_record, write_folder, write_zip  # noqa: E402
from test_import_discord_package import package  # noqa: E402
from test_import_slack import slackdump_database  # noqa: E402
from test_import_work import JIRA_CSV  # noqa: E402
from test_importers import CASES, STRANGE, VALUES  # noqa: E402

from knowledge.archive import Archive  # noqa: E402
from knowledge.importers.registry import detect  # noqa: E402
from knowledge.records import ImportReport  # noqa: E402

IMPORTERS = str(ROOT / "knowledge" / "importers")
TOO_LONG = 20.0
"""Seconds of CPU for an input of a few kilobytes, while every line is watched."""
LARGEST = 20_000
CORPUS = 3_000
FRESH = 500
"""Inputs after which the archive begins anew."""

Files = dict[str, bytes]
Edge = tuple[CodeType, int, int]


class Watch:
    """The steps from line to line inside the importers that were ever taken."""

    def __init__(self) -> None:
        self.edges: set[Edge] = set()
        self.new = 0

    def __enter__(self) -> "Watch":
        self.new = len(self.edges)
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        self.new = len(self.edges) - self.new

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(IMPORTERS):
            return None
        code, before = frame.f_code, 0

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal before
            if event == "line":
                self.edges.add((code, before, frame.f_lineno))
                before = frame.f_lineno
            return step

        return step


@dataclass
class Judge:
    """Imports one input after the other and says what is wrong with it."""

    folder: Path
    archive: Archive = field(default_factory=lambda: Archive(None))
    inputs: int = 0

    def wrong(self, files: Files) -> str:
        """The traceback of what failed, "" where nothing did."""
        self.inputs += 1
        if self.inputs % FRESH == 0:
            self.archive.close()
            self.archive = Archive(None)
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            began = time.process_time()
            try:
                self._import(_written(Path(scratch), files))
                if (took := time.process_time() - began) > TOO_LONG:
                    raise TimeoutError(f"{took:.0f} s")
            except Exception:
                return traceback.format_exc()
        return ""

    def _import(self, path: Path) -> None:
        for importer, source in detect(path):
            report = ImportReport(source.label, importer.name)
            messages = list(importer.read(source, report))
            if report.seen != len(messages) + report.skipped.total() + report.failed:
                raise AssertionError(f"{importer.name}: not every record is accounted for")
            if any(m.sent_at.tzinfo is None for m in messages):
                raise AssertionError(f"{importer.name}: a time without a zone")
            self.archive.add(messages, report)
            self.archive.select("WHERE m.id IN (SELECT id FROM messages ORDER BY key DESC LIMIT 20)")


def _written(folder: Path, files: Files) -> Path:
    """The input on disk; the first of its bytes decide whether in a zip."""
    if sum(len(content) for content in files.values()) % 5 == 0:
        return write_zip(folder / "in.zip", files)
    return write_folder(folder / "in", files)


def seeds(only: str, samples: Path | None = None) -> list[Files]:
    """Every small export of the contract suite, other forms of some, and the small files of a folder."""
    exports: list[Mapping[str, str | bytes]] = [
        files
        for case in CASES
        for files in (case.files, case.broken, case.nasty)
        if only in ("", case.source)
    ]
    if not only:
        exports += [package("2020"), package("2024"), {"export.csv": JIRA_CSV}, slack_database()]
    for path in sorted(samples.rglob("*") if samples else ()):
        if path.is_file() and path.stat().st_size <= LARGEST:
            exports.append({path.name: path.read_bytes()})
    return [
        {
            name: text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
            for name, text in files.items()
        }
        for files in exports
    ]


def slack_database() -> dict[str, bytes]:
    """An archive of slackdump."""
    with tempfile.TemporaryDirectory() as folder:
        path = slackdump_database(Path(folder) / "x" / "slackdump.sqlite", slack_record())
        return {path.name: path.read_bytes()}


class Mutator:
    """Changes a file of an input, one to five times over."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._ways: list[Callable[[bytes, bytes], bytes]] = [
            self._bits, self._strange, self._cut, self._repeat, self._splice, self._number,
            self._value, self._value,
        ]  # fmt: skip

    def changed(self, files: Files, other: Files) -> Files:
        """A changed copy; `other` lends parts."""
        name = self._chance.choice(sorted(files))
        data, lent = files[name], self._chance.choice(list(other.values()))
        for _ in range(self._chance.randint(1, 5)):
            data = self._chance.choice(self._ways)(data, lent)[:LARGEST]
        return {**files, name: data}

    def _span(self, data: bytes, most: int = 60) -> tuple[int, int]:
        start = self._chance.randint(0, len(data))
        return start, min(len(data), start + self._chance.randint(0, most))

    def _bits(self, data: bytes, lent: bytes) -> bytes:
        start, _ = self._span(data)
        return data[:start] + self._chance.randbytes(self._chance.randint(1, 3)) + data[start + 1 :]

    def _strange(self, data: bytes, lent: bytes) -> bytes:
        start, end = self._span(data, 20)
        return data[:start] + self._chance.choice(STRANGE) + data[end:]

    def _cut(self, data: bytes, lent: bytes) -> bytes:
        start, end = self._span(data, 200)
        return data[:start] + data[end:] if self._chance.random() < 0.8 else data[:start]

    def _repeat(self, data: bytes, lent: bytes) -> bytes:
        start, end = self._span(data, 200)
        return data[:start] + data[start:end] * self._chance.choice((2, 3, 50)) + data[end:]

    def _splice(self, data: bytes, lent: bytes) -> bytes:
        start, end = self._span(data)
        first, last = self._span(lent, 300)
        return data[:start] + lent[first:last] + data[end:]

    def _number(self, data: bytes, lent: bytes) -> bytes:
        """Another number in place of some digits."""
        places = [i for i, sign in enumerate(data) if 48 <= sign <= 57]
        if not places:
            return data
        at = self._chance.choice(places)
        other = self._chance.choice([b"0", b"-1", b"99", b"9999999999999999999", b"1e400", b"00", b""])
        return data[:at] + other + data[at + self._chance.randint(1, 4) :]

    def _value(self, data: bytes, lent: bytes) -> bytes:
        """Another value somewhere in a JSON document, or line."""
        lines = data.split(b"\n")
        at = self._chance.randrange(len(lines))
        for whole in (True, False):
            try:
                tree = json.loads(data if whole else lines[at])
            except (ValueError, RecursionError):
                continue
            self._plant(tree)
            written = json.dumps(tree).encode()
            return written if whole else b"\n".join([*lines[:at], written, *lines[at + 1 :]])
        return data

    def _plant(self, tree: Any) -> None:
        places = [(tree, key) for key in _keys(tree)]
        for parent, key in places:
            places += [(parent[key], inner) for inner in _keys(parent[key])]
        if not places:
            return
        parent, key = self._chance.choice(places)
        if self._chance.random() < 0.15:
            del parent[key]
        elif self._chance.random() < 0.3:
            lender, name = self._chance.choice(places)
            parent[key] = json.loads(json.dumps(lender[name] if name in _keys(lender) else None))
        else:
            parent[key] = json.loads(self._chance.choice(VALUES))


def _keys(tree: Any) -> list[Any]:
    return list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []


def keep(folder: Path, files: Files, trouble: str) -> Path:
    """The failing input as a folder, with the traceback beside it; the same place of failure is kept once."""
    frames = [line.strip() for line in trouble.splitlines() if line.strip().startswith("File ")]
    name = hashlib.sha256("\n".join(frames[-3:]).encode()).hexdigest()[:12]
    if not (folder / f"{name}.txt").exists():
        write_folder(folder / name, files)
        (folder / f"{name}.txt").write_text(trouble, "utf-8", "surrogateescape")
        print(f"failed: {folder / name}\n{trouble}", flush=True)
    return folder / name


def _spent(seconds: float) -> str:
    """What an hour is worth where other programs run: the CPU it got stands beside it."""
    return f"{seconds / 60:.0f} min ({time.process_time() / 60:.0f} of CPU)"


def fuzz(minutes: float, corpus: list[Files], seed: int, kept: Path, scratch: Path) -> int:
    """Returns how many inputs failed."""
    chance, watch, judge = random.Random(seed), Watch(), Judge(scratch)
    mutator, failures = Mutator(chance), 0
    begun = told = time.monotonic()
    waiting = list(corpus)
    while (now := time.monotonic()) - begun < minutes * 60:
        # what was reached last leads on to more, so half of the choices are among the newest
        recent = corpus[-50:] if chance.random() < 0.5 else corpus
        files = waiting.pop() if waiting else mutator.changed(chance.choice(recent), chance.choice(corpus))
        with watch:
            trouble = judge.wrong(files)
        if trouble:
            failures += 1
            keep(kept, files, trouble)
        elif watch.new and len(corpus) < CORPUS:
            corpus.append(files)
        if now - told > 60:
            told = now
            print(f"{_spent(now - begun)}: {judge.inputs:,} inputs, {len(watch.edges):,} steps, "
                  f"corpus {len(corpus):,}, {failures} failed", flush=True)  # fmt: skip
    print(f"{judge.inputs:,} inputs, {len(watch.edges):,} steps between lines, {failures} failed")
    return failures


def with_atheris(minutes: float, begin: list[Files], seed: int, kept: Path, scratch: Path) -> None:
    """libFuzzer keeps and chooses the inputs; never returns.

    Three bytes before the content say which seed is changed, and which of its files. Half of the changes are
    ours, which know JSON and lines, half are libFuzzer's own.
    """
    import atheris  # type: ignore[import-not-found, unused-ignore]

    judge, failures = Judge(scratch), 0
    mutator = Mutator(random.Random(seed))
    corpus = kept / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, files in enumerate(begin):
        for place, name in enumerate(sorted(files)):
            (corpus / f"seed-{number}-{place}").write_bytes(
                number.to_bytes(2, "big") + bytes([place]) + files[name]
            )
    begun = told = time.monotonic()

    def one(data: bytes) -> None:
        nonlocal told, failures
        head = data[:3].ljust(3, b"\0")
        files = begin[int.from_bytes(head[:2], "big") % len(begin)]
        files = {**files, sorted(files)[head[2] % len(files)]: data[3:]}
        if trouble := judge.wrong(files):
            failures += 1
            keep(kept, files, trouble)
        if (now := time.monotonic()) - told > 60:
            told = now
            print(f"{_spent(now - begun)}: {judge.inputs:,} inputs, {failures} failed", flush=True)

    def change(data: bytes, most: int, chance: int) -> bytes:
        if chance % 2 or len(data) < 4:
            changed: bytes = atheris.Mutate(data, most)
            return changed
        file = {"": data[3:]}
        return (data[:3] + mutator.changed(file, random.Random(chance).choice(begin))[""])[:most]

    for module in [m for m in sys.modules.values() if (m.__name__ or "").startswith("knowledge.importers")]:
        for thing in list(vars(module).values()):
            _instrument(atheris, thing, module.__name__)
    limits = [
        f"-max_total_time={int(minutes * 60)}",
        f"-max_len={LARGEST}",
        f"-seed={seed + 1}",
        f"-artifact_prefix={kept}/",
        "-verbosity=1",
    ]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], one, custom_mutator=change)
    atheris.Fuzz()


def _instrument(atheris: Any, thing: Any, module: str) -> None:
    """Let libFuzzer see which branches of a function, or of a class's methods, are taken."""
    if getattr(thing, "__module__", None) != module:
        return
    members = (
        [thing]
        if isinstance(thing, FunctionType)
        else vars(thing).values()
        if isinstance(thing, type)
        else []
    )
    for member in members:
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            atheris.instrument_func(function)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--only", default="", help="one source, by its name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    parser.add_argument("--samples", type=Path, help="a folder whose small files are changed too")
    parser.add_argument("--atheris", action="store_true")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    begin = seeds(args.only, args.samples)
    with tempfile.TemporaryDirectory() as scratch:
        if args.atheris:
            with_atheris(args.minutes, begin, args.seed, args.keep, Path(scratch))
        return 1 if fuzz(args.minutes, begin, args.seed, args.keep, Path(scratch)) else 0


if __name__ == "__main__":
    sys.exit(main())
