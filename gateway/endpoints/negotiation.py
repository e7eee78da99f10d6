"""Which media type an `Accept` header asks for."""

from __future__ import annotations

from enum import StrEnum


class AnswerType(StrEnum):
    """The media types of GraphQL over HTTP, and the one of event streams."""

    RESPONSE = "application/graphql-response+json"
    JSON = "application/json"
    EVENT_STREAM = "text/event-stream"


def answer_type(accept: str | None) -> AnswerType | None:
    """The media type to answer in, or None when the client takes none of ours.

    An event stream only when that is the first type named: urql names it last in every request
    and cannot read one that it did not ask for. Without a header, or for `*/*`, plain JSON. See
    GraphQL over HTTP, "Media Types"."""
    if not accept or not accept.strip():
        return AnswerType.JSON
    named = _by_preference(accept)
    if named and accept.split(",")[0].split(";")[0].strip().lower() == AnswerType.EVENT_STREAM:
        return AnswerType.EVENT_STREAM
    for media_type in named:
        if media_type in (AnswerType.RESPONSE, AnswerType.JSON):
            return AnswerType(media_type)
        if media_type in ("*/*", "application/*"):
            return AnswerType.JSON
    return None


def is_json(content_type: str | None) -> bool:
    """Whether a body of this `Content-Type` is JSON in UTF-8."""
    essence, _, parameters = (content_type or "").partition(";")
    if essence.strip().lower() != AnswerType.JSON:
        return False
    charset = _parameter(parameters, "charset")
    return charset is None or charset.lower() in ("utf-8", "utf8")


def _by_preference(accept: str) -> list[str]:
    weighted = []
    for position, part in enumerate(accept.split(",")):
        essence, _, parameters = part.partition(";")
        weight = _weight(_parameter(parameters, "q"))
        if weight > 0:
            weighted.append((-weight, position, essence.strip().lower()))
    return [media_type for _, _, media_type in sorted(weighted)]


def _weight(q: str | None) -> float:
    try:
        return float(q) if q is not None else 1.0
    except ValueError:
        return 0.0


def _parameter(parameters: str, name: str) -> str | None:
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return None
