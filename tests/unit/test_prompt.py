"""The question names every field, and a title in it stays a title."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.models import prompt
from workers.models.answer import FIELDS
from workers.models.prompt import TITLE_CHARACTERS_MAX, neutralised, prompt_for, prompt_version

TOKENS = ("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|zh|>")
PARTS = (
    "<|>\uff1c\uff5c\uff1e\ufe64\ufe31\ufe65\u2039\u2502\u203a\u3008\u2223\u3009"
    "\u0338\u200b\u200d\ufe0f\x00\u202e\ufdfa\u0301 AUDIO_im"
)
NASTY = st.text(st.characters() | st.sampled_from(PARTS)) | st.lists(st.sampled_from([*TOKENS, *PARTS])).map("".join)
FORMS = ("NFC", "NFD", "NFKC", "NFKD")


def look_alike(token: str) -> list[str]:
    """A token written so that a person or a normalisation takes it for the same."""
    return [
        token,
        "".join(chr(ord(character) + 0xFEE0) if character in "<|>" else character for character in token),
        " ".join(token),
        "\u200b".join(token),
        token.replace("<", "<<").replace(">", ">>"),
        token.replace("|", "\u2223"),
        token.replace("<", "\u3008").replace(">", "\u3009"),
        token.replace("|", "|\ufe0f"),
        token[:2] + token + token[2:],
    ]


@pytest.mark.parametrize("text", [alike for token in TOKENS for alike in look_alike(token)])
def test_no_look_alike_of_a_control_token_gets_through(text: str) -> None:
    """Full-width, spaced, nested, with unseen characters in between."""
    safe = neutralised(f"a {text} b")
    assert not set("<|>") & set(unicodedata.normalize("NFKC", safe))
    assert safe.startswith("a ")
    assert safe.endswith(" b")


@given(NASTY)
@example("<\u200b|im_start|\u200d>")
@example("\ufdfa" * 500)
@example("<" * 5000 + "|AUDIO|>")
def test_no_text_spells_a_control_token(text: str) -> None:
    """Not in any normal form; nothing unseen is left; it is short; doing it twice changes nothing."""
    safe = neutralised(text)
    for form in FORMS:
        normalised = unicodedata.normalize(form, safe)
        assert not re.search(r"<\s*\|", normalised)
        assert not re.search(r"\|\s*>", normalised)
        assert not any(token in normalised for token in TOKENS)
    assert not any(unicodedata.category(character).startswith("C") for character in safe)
    assert safe == " ".join(safe.split())
    assert len(safe) <= TITLE_CHARACTERS_MAX
    assert neutralised(safe) == safe


@given(st.text(st.sampled_from("abc XYZ 0123 -_.,()'&éñ漢字かなब")))
def test_an_ordinary_title_stays_as_it_is(title: str) -> None:
    """But for white space and length."""
    plain = unicodedata.normalize("NFKC", " ".join(title.split()))
    assert neutralised(title) == plain[:TITLE_CHARACTERS_MAX].rstrip()


@given(NASTY)
def test_a_title_cannot_leave_its_quotes(title: str) -> None:
    """What stands around it is the same for every title, and its quotation reads as the neutralised title."""
    name = neutralised(title)
    asked = prompt_for(FIELDS, title=title)
    if not name:
        assert asked == prompt_for(FIELDS)
        return
    before, after = "The uploader calls the recording ", ". That is a name"
    assert asked.startswith(before)
    read, stop = json.JSONDecoder().raw_decode(asked, len(before))
    assert read == name
    assert asked[stop:].startswith(after)
    assert asked.endswith(prompt_for(FIELDS))
    assert asked.count("\n") == prompt_for(FIELDS).count("\n") + 1


def test_braces_in_a_title_are_braces() -> None:
    """A title is no format string."""
    assert '"{fields} {0} %s"' in prompt_for(["key"], title="{fields} {0} %s")


def test_every_field_is_named_with_its_words() -> None:
    """Each asked for and no other, each with what it means and the closed words it may be; null is explained."""
    asked = prompt_for(FIELDS)
    assert [line.partition(":")[0] for line in asked.splitlines()[1:-1]] == list(FIELDS)
    for word in ("rhythm and blues", "harpsichord", "choir", "silence", "null", "[]", "at most 8"):
        assert word in asked
    assert [line.partition(":")[0] for line in prompt_for({"tags", "key"}).splitlines()[1:-1]] == ["key", "tags"]
    assert set(prompt._MEANING) == set(FIELDS)
    assert len(asked) < 1600


def test_the_version_follows_wording_and_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confidences hold for one prompt: whatever changes it changes its name, the order of the fields does not."""
    version = prompt_version(["key", "tags"])
    assert re.fullmatch("[0-9a-f]{12}", version)
    assert prompt_version(("tags", "key")) == version
    assert prompt_version(["key"]) != version
    for changed in ("_TITLE", "_INSTRUCTION"):
        with monkeypatch.context() as patch:
            patch.setattr(prompt, changed, getattr(prompt, changed) + " Please.")
            assert prompt_version(["key", "tags"]) != version
    monkeypatch.setattr(prompt, "answer_schema", lambda _: {})
    assert prompt_version(["key", "tags"]) != version


@pytest.mark.parametrize("fields", [[], ["mood"], "key"])
def test_unknown_fields_are_refused(fields: list[str]) -> None:
    """No fields, a misspelt one, or a name in place of a list of names."""
    with pytest.raises(ValueError, match="fields must be"):
        prompt_for(fields)
