"""Secrets never pass; people get the same other name everywhere."""

from collections import Counter

import pytest

from knowledge.privacy import Pseudonyms, Redactor, secrets

# Built in pieces, so that no scanner of repositories takes an example for the real thing.
SECRETS = {
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "api key": "ghp_" + "a1B2" * 9,
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "slack": "xoxb-" + "1234567890-abcdefghij",
    "openai": "sk-proj-" + "Ab3" * 10,
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".c2lnbmF0dXJl",
    "random": "Zx8Kq2" * 6,
}


@pytest.mark.parametrize("value", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_is_gone_and_its_surroundings_stay(value: str) -> None:
    redact = Redactor()
    cleaned = redact(f"here it is: {value}, keep it safe")
    assert value not in cleaned
    assert cleaned.startswith("here it is: [removed: ")
    assert cleaned.endswith(", keep it safe")
    assert redact.counts.total() == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("the wifi password is hunter2!", "hunter2!"),
        ("Password: correct-horse", "correct-horse"),
        ("das Passwort lautet Sonnenblume7", "Sonnenblume7"),
        ("a senha é girassol", "girassol"),
        ("api_key=abcd1234efgh", "abcd1234efgh"),
        ("Authorization: Bearer abc123def456", "abc123def456"),
        ("my PIN is 4821", "4821"),
        ("clone https://mira:s3cret@example.org/x.git", "mira:s3cret"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----", "abc"),
        ("-----BEGIN RSA PRIVATE KEY-----\ncut off here", "cut off"),
    ],
)
def test_a_told_password_is_gone(text: str, value: str) -> None:
    assert value not in Redactor()(text)


@pytest.mark.parametrize(
    "text",
    [
        "the password is wrong again",
        "call me on 4111 1111 1111 1112 or so",
        "order 123456789012 arrived, see you at 18:30 on 2026-10-31",
        "fixed in 3f2a9c1d8e7b6a5f4e3d2c1b0a9f8e7d6c5b4a39",
        "see https://example.org/a/very/long/path/that-goes-on-and-on-2024",
        "a token of love, no secret",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert secrets(text) == []


PEOPLE = [("lena", "Lena Weber", "U06LENA03"), ("Lena Weber", "lena@example.org"), ("Jonas Hill", "jonas")]


def test_the_same_person_has_the_same_other_name_everywhere() -> None:
    other = Pseudonyms(PEOPLE, b"key", keep=["Mira Sol"])
    counts: Counter[str] = Counter()
    full, first = other("Lena Weber came.", counts), other("ask lena, or Lena", counts)
    assert "lena" not in (full + first).casefold()
    name = full.split()[0]
    assert first == f"ask {name.lower()}, or {name}"
    assert counts["name"] == 3
    assert other("Jonas", counts) != other("Lena", counts)
    assert other("Mira Sol wrote", counts) == "Mira Sol wrote"
    assert Pseudonyms(PEOPLE[::-1], b"key")("Lena", counts) == name


def test_addresses_and_numbers_are_replaced() -> None:
    redact = Redactor(Pseudonyms([], b"key"))
    cleaned = redact("write to a.b@mail.example.com or +49 170 1234567, host 10.1.2.3")
    for value in ("a.b@mail", "1234567", "10.1.2.3"):
        assert value not in cleaned
    assert redact.counts == {"address": 1, "phone": 1, "ip address": 1}


def test_another_archive_gives_other_names() -> None:
    counts: Counter[str] = Counter()
    names = {Pseudonyms(PEOPLE, bytes([n]))("Lena", counts) for n in range(8)}
    assert len(names) > 1


def test_a_cleaned_text_stays_as_it_is() -> None:
    text = "the password is sunflower77, the card 4111 1111 1111 1111, token: abcd1234efgh"
    cleaned = Redactor()(text)
    assert "sunflower77" not in cleaned
    again = Redactor()
    assert again(cleaned) == cleaned
    assert not again.counts
    assert "hunter22" not in Redactor()(f"{cleaned}, and the password is hunter22")
