"""Long messages in pieces: a mail or a note is found, and shown, by the part that matters.

A passage ends at the end of a paragraph, line or sentence where one is near; short messages are one
passage. Pure functions of the text, so that pieces can be made again whenever they are needed.
"""

LONGEST = 420
"""Characters in one passage, about as many as the embedding model reads of a message."""


def split(text: str, longest: int = LONGEST) -> list[str]:
    """`text` in passages of at most `longest` characters, in order; nothing but blanks is lost."""
    text = text.strip()
    found = []
    while len(text) > longest:
        cut = _cut(text, longest)
        found.append(text[:cut].strip())
        text = text[cut:].strip()
    return [*found, text] if text else found


def _cut(text: str, longest: int) -> int:
    """Where to end a passage: the last good break in its second half, the strongest kind first."""
    for kind in ("\n\n", "\n", ". ", "! ", "? ", " "):
        place = text.rfind(kind, longest // 2, longest)
        if place > 0:
            return place + len(kind.rstrip()) or 1
    return longest


def most(length: int, longest: int = LONGEST) -> int:
    """The most passages that a text of so many characters can have: a cut leaves half a passage at least."""
    return 1 + 2 * length // longest
