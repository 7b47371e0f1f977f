"""A sealed text opens with its key, in its place, as it was; or not at all."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imsync.store.sealing import Column, Key, Keyring, Unreadable, is_sealed, key_of

OLD, NEW = Key.new(), Key.new()
RING = Keyring([OLD])
SEALED = RING.seal("u+secret", Column.TOKEN, "int_1")
BITS = base64.urlsafe_b64decode(SEALED.removeprefix("sealed1:") + "===")


@given(secret=st.text(), id_=st.text(max_size=30), column=st.sampled_from(Column))
def test_what_is_sealed_opens_as_it_was(secret: str, id_: str, column: Column) -> None:
    sealed = RING.seal(secret, column, id_)
    assert is_sealed(sealed)
    assert sealed.isascii()
    assert RING.open(sealed, column, id_) == secret


def test_nothing_of_it_shows_and_no_two_are_alike() -> None:
    again = RING.seal("u+secret", Column.TOKEN, "int_1")
    assert again != SEALED
    for one in (b"secret", base64.urlsafe_b64decode(OLD.text + "=")):
        assert one not in BITS
    assert key_of(SEALED) == key_of(again) == OLD.id


@pytest.mark.parametrize(
    ("column", "id_"), [(Column.TOKEN, "int_2"), (Column.SECRET, "int_1"), (Column.TOKEN, "")]
)
def test_in_another_place_it_does_not_open(column: Column, id_: str) -> None:
    with pytest.raises(Unreadable, match=f"the {column} of {id_} cannot be opened"):
        RING.open(SEALED, column, id_)


@given(st.integers(0, len(BITS) * 8 - 1))
def test_with_any_bit_altered_it_does_not_open(bit: int) -> None:
    altered = bytearray(BITS)
    altered[bit // 8] ^= 1 << bit % 8
    text = "sealed1:" + base64.urlsafe_b64encode(altered).decode()
    with pytest.raises(Unreadable):
        RING.open(text, Column.TOKEN, "int_1")


@pytest.mark.parametrize("cut", [0, 1, 8, 9, 20, 40, -1])
def test_cut_short_or_plain_it_does_not_open(cut: int) -> None:
    for text in (SEALED[:cut], "u+secret"):
        with pytest.raises(Unreadable):
            RING.open(text, Column.TOKEN, "int_1")


def test_another_key_does_not_open_it_whatever_its_id() -> None:
    for key in (NEW, Key(OLD.id, NEW.text, NEW.cipher)):
        with pytest.raises(Unreadable):
            Keyring([key]).open(SEALED, Column.TOKEN, "int_1")


def test_the_first_key_seals_and_every_one_opens() -> None:
    ring = Keyring([OLD])
    ring.put_first(NEW)
    assert key_of(ring.seal("x", Column.TOKEN, "int_1")) == NEW.id
    assert ring.open(SEALED, Column.TOKEN, "int_1") == "u+secret"
    assert ring.of([]) == [NEW]
    assert ring.of([OLD.id, "of nobody"]) == [NEW, OLD]


def test_no_repr_and_no_complaint_tells_a_key_or_a_secret() -> None:
    ring = Keyring([OLD, NEW])
    with pytest.raises(Unreadable) as caught:
        ring.open("u+secret", Column.TOKEN, "int_1")
    said = f"{ring!r} {ring} {OLD!r} {OLD} {caught.value!r}"
    assert OLD.id in said
    assert not [one for one in (OLD.text, NEW.text, "u+secret") if one in said]


@pytest.mark.parametrize(
    "spelled",
    [
        lambda bits: base64.urlsafe_b64encode(bits).decode(),
        lambda bits: base64.b64encode(bits).decode(),
        lambda bits: base64.urlsafe_b64encode(bits).decode().rstrip("="),
        lambda bits: f"  {base64.b64encode(bits).decode()}\n",
    ],
)
def test_a_key_is_the_same_however_it_is_spelled(spelled: object) -> None:
    bits = os.urandom(32)
    assert callable(spelled)
    key = Key.parse(spelled(bits))
    assert key.id == Key.parse(key.text).id
    assert base64.urlsafe_b64decode(key.text + "=") == bits


@given(st.text(max_size=40) | st.binary().map(lambda bits: base64.b64encode(bits).decode()))
def test_what_is_no_key_is_refused_unquoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it is not 32 bytes in base64url$"):
        Key.parse(text)
