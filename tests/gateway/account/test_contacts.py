"""Address books, pictures and settings: bounded whatever clients send, and the same after a restart."""

from __future__ import annotations

import json

import msgspec
import pytest

from rcex_ws.gateway.account import contacts, media, settings
from rcex_ws.gateway.account.contacts import AddressBook
from rcex_ws.gateway.account.media import MediaFile, MediaStore
from rcex_ws.gateway.account.people import ExtensionDirectory
from rcex_ws.gateway.account.settings import SettingsStore


def again(part):
    """Return the part as it is after a restart."""
    other = type(part)()
    other.load(json.loads(json.dumps(part.dump())))
    assert other.dump() == part.dump()
    return other


def test_the_oldest_contacts_make_room(monkeypatch):
    monkeypatch.setattr(contacts, "_MOST_CONTACTS", 3)
    book, owner = AddressBook(), ExtensionDirectory().first
    for number in range(5):
        book.add(owner, {"firstName": str(number)})
    assert [one.facts["firstName"] for one in again(book).of(owner)] == ["2", "3", "4"]
    assert again(book).add(owner, {}).id == 6


def test_the_oldest_files_make_room(monkeypatch):
    monkeypatch.setattr(media, "_MOST_BYTES", 10)
    store = MediaStore()
    for name in "abc":
        store.put("image", name, MediaFile(name, "image/png", b"12345"))
    assert list(again(store).of("image")) == ["b", "c"]
    assert again(store).get("image", "c").content == b"12345"
    store.put("prompt", "x", MediaFile("x", "audio/wav", b"1" * 100))
    assert store.of("image") == {}
    assert list(store.of("prompt")) == ["x"]


def test_settings_of_long_ago_make_room(monkeypatch):
    monkeypatch.setattr(settings, "_MOST_CHARACTERS", 400)
    store = SettingsStore()
    for owner in "abc":
        store.change(owner, "rule", {"x": "y" * 30})
    store.change("b", "rule", {"z": 1})
    store.change("d", "rule", {"x": "y" * 30})
    kept = [owner for owner in "abcd" if again(store).get(owner, "rule", {})]
    assert kept == ["b", "d"]
    assert again(store).get("b", "rule", {"w": 2, "z": 3}) == {"x": "y" * 30, "z": 1, "w": 2}


@pytest.mark.parametrize(
    ("store", "broken"), [(AddressBook(), {}), (MediaStore(), {"files": 5}), (SettingsStore(), [])]
)
def test_what_is_no_state_is_refused(store, broken):
    with pytest.raises((ValueError, LookupError, msgspec.ValidationError)):
        store.load(broken)
