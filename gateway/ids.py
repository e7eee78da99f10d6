"""TypeIDs: a prefix that names the noun, and a UUIDv7 in Crockford base 32 (sortable by time).

See the TypeID specification 0.3 (prefix, `_`, 26 characters)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from uuid_utils.compat import uuid7

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = [a + b for a in _ALPHABET for b in _ALPHABET]
_SUFFIX_LENGTH: Final = 26
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

PREFIXES: Final = {
    "plan": "pln",
    "wholesale": "whp",
    "agency": "agy",
    "connection": "sco",
    "oauth_state": "sos",
    "price": "prc",
    "package": "pkg",
    "sub_account": "sub",
    "wallet": "wal",
    "lot": "lot",
    "transaction": "txn",
    "purchase": "pur",
    "customer": "scu",
    "payment_method": "pmt",
    "card_setup": "cst",
    "api_key": "key",
}
"""Noun → prefix. A prefix is never reused for another noun."""

_NOUNS: Final = {prefix: noun for noun, prefix in PREFIXES.items()}


def new_id(noun: str) -> str:
    """A fresh id for `noun` (a key of PREFIXES), later ones sort after earlier ones."""
    return _written(noun, uuid7().int)


def first_id(noun: str, since: datetime) -> str:
    """The id before which every id of `noun` sorts that was made earlier than `since`, and after
    which every other one. Exact to the millisecond; see RFC 9562, "UUID Version 7"."""
    milliseconds = (since - _EPOCH) // timedelta(milliseconds=1)
    return _written(noun, milliseconds << 80)


def is_id(value: str, noun: str) -> bool:
    """True when `value` has the form of an id of `noun`; says nothing about existence."""
    prefix, _, suffix = value.partition("_")
    return (
        prefix == PREFIXES[noun]
        and len(suffix) == _SUFFIX_LENGTH
        and suffix[0] <= "7"
        and all(character in _ALPHABET for character in suffix)
    )


def noun_of(value: str) -> str | None:
    """The noun of a well-formed id, None for anything else."""
    noun = _NOUNS.get(value.partition("_")[0])
    return noun if noun is not None and is_id(value, noun) else None


def _written(noun: str, number: int) -> str:
    pairs = [_PAIRS[(number >> shift) & 0x3FF] for shift in range(120, -1, -10)]
    return f"{PREFIXES[noun]}_{''.join(pairs)}"
