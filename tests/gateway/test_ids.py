from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.ids import first_id, is_id, new_id


def test_an_id_sorts_between_the_instants_around_it() -> None:
    before = datetime.now(UTC)
    made = new_id("purchase")
    after = datetime.now(UTC) + timedelta(milliseconds=1)
    assert first_id("purchase", before) <= made < first_id("purchase", after)
    assert first_id("purchase", before - timedelta(days=1)) < made
    assert is_id(first_id("purchase", before), "purchase")
    assert first_id("purchase", datetime(1970, 1, 1, tzinfo=UTC)) == f"pur_{'0' * 26}"
