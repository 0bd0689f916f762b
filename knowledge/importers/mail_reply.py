"""What the author of a mail wrote: the body without quoted mail, forwards, patches and signature."""

import quopri
import re
from dataclasses import dataclass

from knowledge.importers.mail_phrases import (
    CLOSING,
    FIELDS,
    FORMAL_CLOSING,
    FORWARD_BEGINS,
    FORWARDED,
    FROM,
    ORIGINAL,
    SENT_FROM,
    WROTE,
)

_VERB = re.compile(rf"(?:{WROTE})", re.IGNORECASE)
_ENDS_WROTE = re.compile(rf"(?:{WROTE})\s*[:：]$", re.IGNORECASE)
_STARTS = re.compile(
    r"(?:On|Am|Le|El|Il|Em|Op|Den|Dnia|W dniu|På|Pe|Quoting|At|Em|\w{2,10}[.,]{0,2} \d|\d)", re.IGNORECASE
)
_OPENS = re.compile(
    r"(?:On|Am|Le|El|Il|Em|Op|Den|Dnia|W dniu|På)\s.*\d"
    r"|\d{4}年|\d{1,4}[./-]\d|\d{1,2}\.? \w{3,}|\w{2,4}\.?,? \d{1,2}\.? \w"
)
"""The beginning of an attribution that a line holds by itself."""
_ADDRESS = re.compile(r"\S+@\S+")
_ENDS_ADDRESS = re.compile(r"<\s*\S+@\S+\s*>\s*[:：]$")

_FROM_LINE = re.compile(rf"^\W{{0,2}}(?:{FROM})\s?[:：]\*?\s", re.IGNORECASE)
_FIELD_LINE = re.compile(rf"^\W{{0,2}}({FIELDS})\s?[:：]\*?(?:\s|$)", re.IGNORECASE)
_ORIGINAL = re.compile(
    rf"^[-_ ]{{3,}}(?:{ORIGINAL})[-_ ]{{2,}}$|^original message processed by", re.IGNORECASE
)
_FORWARDED = re.compile(
    rf"^(?:[-_ ]{{3,}}\s?(?:forwarded by\b.*|{FORWARDED})\s?[-_ ]*|(?:{FORWARD_BEGINS})[:.]?)$", re.IGNORECASE
)
_QUOTED = re.compile(r"^\s*(?:[A-Z]{1,4})?>")
"""A quoted line; some programs put the initials of the quoted person before the mark."""
_RULE = re.compile(r"^[\s*]*[-_=*]{3,}[\s*]*$")
_PATCH = re.compile(r"^(?:diff --git |Index: \S|--- a/|--- \S+\t|\*\*\* \S+\t|@@ -\d+)")
_STAT = re.compile(r"^ .+ \| +(?:\d+|Bin)")

_DASHES = re.compile(r"^(?:--|—|–-|—-|__)\s*$")
_DEVICE = re.compile(rf"^(?:{SENT_FROM})\b[^.,;]{{0,70}}(?:<\S+>|\(\S+\))?\.?$", re.IGNORECASE)
_CLOSING = re.compile(rf"^(?:{CLOSING}|{FORMAL_CLOSING})[,!]?$", re.IGNORECASE)
_FORMAL_CLOSING = re.compile(rf"^(?:{FORMAL_CLOSING})[,!]?$", re.IGNORECASE)
_DASHED_NAME = re.compile(r"^(?:--|[-–—/~])\s?[^\W\d_][\w.'-]*(?: [^\W\d_][\w.'-]*){0,2}$")
_CAUTION = re.compile(r"^\W*(?:caution|warning|external)\b.*(?:originated|outside|external)", re.IGNORECASE)
_DISCLAIMER = re.compile(
    r"^(?:disclaimer\W*$|(?:this|the information(?: contained)? in this) "
    r"(?:e-?mail|message|communication)\b.*(?:confidential|intended|privileged))",
    re.IGNORECASE,
)
_PGP_SIGNATURE = re.compile(r"-----BEGIN PGP SIGNATURE-----.*?(?:-----END PGP SIGNATURE-----|\Z)", re.DOTALL)
_PGP_BLOCK = re.compile(
    r"-----BEGIN PGP (?:MESSAGE|PUBLIC KEY BLOCK)-----.*?(?:-----END PGP [A-Z ]+-----|\Z)", re.DOTALL
)
_PGP_HEAD = re.compile(r"^-----BEGIN PGP SIGNED MESSAGE-----\n(?:\w+: .*\n)*\n?", re.MULTILINE)
_LONGEST_TAIL = 8
_LONGEST_LINE = 1000
"""Characters beyond which a line is no attribution."""


@dataclass(frozen=True, slots=True)
class Reply:
    """text: the author's own words. flags: what was taken away that changes how to read them."""

    text: str
    flags: tuple[str, ...] = ()


def own_words(body: str, subject: str = "") -> Reply:
    """The author's words in `body`. The subject tells a bare forward from a printed header."""
    text = _PGP_HEAD.sub("", _PGP_BLOCK.sub("", _PGP_SIGNATURE.sub("", _unquoted_printable(body))))
    segments, flags = _segments(text.split("\n"), subject)
    kept = [_without_signature(segment) for segment in segments]
    words = _tidy("\n\n".join(text for text in kept if text))
    if not words and _tidy(text):
        flags = (*flags, "quoted-only")
    return Reply(words, flags)


def without_quotes(body: str, subject: str = "") -> str:
    """The body without quoted mail but with its signature."""
    segments, _ = _segments(body.split("\n"), subject)
    return _tidy("\n\n".join(_tidy("\n".join(segment)) for segment in segments))


def _unquoted_printable(text: str) -> str:
    """Undo quoted-printable that a mail program applied twice, which would hide every quote mark."""
    if not (re.search(r"=\n", text) and re.search(r"=[C-F][0-9A-F]=[89AB][0-9A-F]", text)):
        return text
    try:
        return quopri.decodestring(text.encode()).decode()
    except ValueError:
        return text


def _tidy(text: str) -> str:
    lines = [line.rstrip() for line in text.strip("\ufeff").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n").strip()


def _segments(lines: list[str], subject: str) -> tuple[list[list[str]], tuple[str, ...]]:
    """The author's own stretches between quotes, in order."""
    segments: list[list[str]] = [[]]
    flags: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        if _FORWARDED.match(line.strip()):
            flags.append("forward")
            break
        if _PATCH.match(line):
            flags.append("patch")
            _drop_stat(segments[-1])
            break
        length = _header_block(lines, position)
        if length and not any(map(_tidy, map("\n".join, segments))) and _is_own_header(subject):
            position += length
            continue
        if length or _ORIGINAL.match(line.strip()):
            if _FORWARD_SUBJECT.match(subject):
                flags.append("forward")
            break
        if _QUOTED.match(line):
            if segments[-1]:
                segments.append([])
            position += 1
            continue
        if wraps := _attribution(lines, position):
            position += wraps
            if not _quote_follows(lines, position):
                break
            segments.append([])
            continue
        segments[-1].append(line)
        position += 1
    return segments, tuple(dict.fromkeys(flags))


_FORWARD_SUBJECT = re.compile(r"^\s*(?:fwd?|wg|tr|rv|enc|i|vs|doorst)\s*:", re.IGNORECASE)
_REPLY_SUBJECT = re.compile(
    r"^\s*(?:re|aw|sv|vs|antw|odp|rif|r|ynt|回复|答复)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE
)


def _is_own_header(subject: str) -> bool:
    """Whether a header block at the very top is the mail's own, printed; not that of a quoted mail."""
    return not (_FORWARD_SUBJECT.match(subject) or _REPLY_SUBJECT.match(subject))


def _header_block(lines: list[str], start: int) -> int:
    """How many lines a printed mail header (Outlook's way of quoting) takes from `start`; 0 for none."""
    if not _FROM_LINE.match(lines[start].strip()):
        return 0
    fields: set[str] = set()
    last = start
    for position in range(start + 1, min(start + 9, len(lines))):
        if match := _FIELD_LINE.match(lines[position].strip()):
            fields.add(match[1].casefold())
            last = position
        elif not lines[position].strip() and len(fields) >= 2:
            break
    return last - start + 1 if len(fields) >= 2 else 0


def _attribution(lines: list[str], start: int) -> int:
    """How many lines an `On … wrote:` takes from `start`; 0 for none. It may be wrapped over four."""
    joined = ""
    opened = bool(_OPENS.match(lines[start].strip().removeprefix("--- ")))
    for count in range(1, 5):
        line = lines[start + count - 1].strip() if start + count <= len(lines) else ""
        line = line.removeprefix("--- ")  # Yahoo's
        if not line or _QUOTED.match(line) or len(joined) > 300 or len(line) > _LONGEST_LINE:
            return 0
        if not opened and count > 1 and _OPENS.match(line):
            return 0  # it begins on this line; the one above is the author's
        if not opened and count > 1 and _is_attribution(line, lines, start + count):
            return 0
        joined = f"{joined} {line}".strip()
        if joined.endswith((":", "：")):
            return count if _is_attribution(joined, lines, start + count) else 0
    return 0


def _is_attribution(joined: str, lines: list[str], after: int) -> bool:
    dated = bool(re.search(r"\d", joined)) and bool(_STARTS.match(joined))
    if dated and _VERB.search(joined) and (_ENDS_WROTE.search(joined) or _ADDRESS.search(joined)):
        return True
    if dated and _ENDS_ADDRESS.search(joined):
        return True
    timed = bool(re.search(r"\d[:.]\d\d", joined))
    return (timed or bool(_ENDS_WROTE.search(joined))) and _quote_follows(lines, after)


def _quote_follows(lines: list[str], position: int) -> bool:
    while position < len(lines) and not lines[position].strip():
        position += 1
    return position < len(lines) and bool(_QUOTED.match(lines[position]))


def _drop_stat(segment: list[str]) -> None:
    """Take `---` and the diffstat of `git format-patch` off the end of the commit message."""
    stat = next((position for position, line in enumerate(segment) if _STAT.match(line)), 0)
    rules = [position for position in range(stat) if segment[position].rstrip() == "---"]
    if rules:
        del segment[rules[-1] :]


def _without_signature(segment: list[str]) -> str:
    lines = _without_caution(segment)
    for position, line in enumerate(lines):
        if _DASHES.match(line) or _DISCLAIMER.match(line.strip()) or _footer(lines, position):
            lines = lines[:position]
            break
    lines = _without_rules(lines)
    for position in range(max(0, len(lines) - _LONGEST_TAIL), len(lines)):
        if _closes(lines, position):
            lines = lines[:position]
            break
    return _tidy("\n".join(_without_rules(lines)))


def _without_caution(lines: list[str]) -> list[str]:
    filled = [position for position, line in enumerate(lines) if line.strip()]
    if filled and _CAUTION.match(lines[filled[0]]):
        return lines[filled[0] + 1 :]
    return lines


def _without_rules(lines: list[str]) -> list[str]:
    """Without blank lines and drawn rules at the end."""
    end = len(lines)
    while end and (not lines[end - 1].strip() or _RULE.match(lines[end - 1])):
        end -= 1
    return lines[:end]


def _boxed(lines: list[str], position: int) -> bool:
    """A closing formula right above a drawn rule: a business card follows, however long."""
    drawn = position + 1 < len(lines) and re.match(r"^[_=-]{8,}\s*$", lines[position + 1])
    return bool(drawn and _CLOSING.match(lines[position].strip()))


def _footer(lines: list[str], position: int) -> bool:
    """A mailing list's footer, or a business card drawn below a closing formula."""
    if _boxed(lines, position):
        return True
    rest = "\n".join(lines[position + 1 : position + 5])
    drawn = re.match(r"^[_-]{20,}\s*$", lines[position])
    return bool(drawn and re.search(r"mailing list|https?://|@", rest, re.IGNORECASE))


def _closes(lines: list[str], position: int) -> bool:
    """Whether the signature begins here: a closing formula, a device's line, a dashed name."""
    line = lines[position].strip()
    rest = [following.strip() for following in lines[position + 1 :] if following.strip()]
    if _DEVICE.match(line):
        return len(rest) <= 2 and all(len(following) < 80 for following in rest)
    if _CLOSING.match(line):
        short = all(len(following) <= 60 for following in rest)
        return short and bool(rest or _FORMAL_CLOSING.match(line))
    alone = position == 0 or not lines[position - 1].strip()
    return not rest and position > 0 and alone and bool(_DASHED_NAME.match(line))
