"""Requests, answers and events against Stripe's official OpenAPI description.

The description stays outside the project; `REBILL_STRIPE_OPENAPI` names it. Its `nullable` must be
read as "or null", and its bodies are forms: both are translated here, so that a plain JSON Schema
validator can judge.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

Json = dict[str, Any]
_DEFAULT = Path(__file__).parents[2] / ".." / "shared" / "stripe" / "openapi.json"
_BASE = "stripe:"
_FORM = "application/x-www-form-urlencoded"


class StripeContract:
    """One OpenAPI description. Every check raises AssertionError naming where and why."""

    def __init__(self, path: Path) -> None:
        document: Json = json.loads(path.read_text())
        self.version: str = document["info"]["version"]
        definitions = _translate(document["components"]["schemas"])
        resource: Resource[Any] = DRAFT202012.create_resource({"$defs": definitions})
        self._definitions: Json = definitions
        self._registry: Registry[Any] = Registry().with_resource(_BASE, resource)
        self._validators: dict[str, Draft202012Validator] = {}
        self._paths = _compile_paths(document["paths"])

    def check_request(self, method: str, path: str, form: bytes | str, query: str = "") -> None:
        """A request of ours: path, parameter names, types, required parameters, enum values."""
        where, operation = self._operation(method, path)
        text = form.decode() if isinstance(form, bytes) else form
        self._check_query(where, operation, query if method != "GET" else query or text)
        if method == "POST":
            content = operation.get("requestBody", {}).get("content", {})
            schema = _translate(content.get(_FORM, {}).get("schema", {"type": "object"}))
            self._judge(f"{where} request", schema, self._coerce(_decode(text), schema))

    def check_response(self, method: str, path: str, status: int, answer: Any) -> None:
        """An answer: the success schema for 2xx, the error schema for everything else."""
        where, operation = self._operation(method, path)
        responses = operation["responses"]
        part = responses["200"] if status < 300 else responses["default"]
        schema = _translate(part["content"]["application/json"]["schema"])
        self._judge(f"{where} answer {status}", schema, answer)

    def check_event(self, event: Any) -> None:
        """An event, and the object inside it when the description knows its kind."""
        self._judge("event", {"$ref": f"{_BASE}#/$defs/event"}, event)
        record = event["data"]["object"]
        kind = record.get("object", "")
        if kind in self._definitions:
            where = f"event {event['type']}"
            self._judge(where, {"$ref": f"{_BASE}#/$defs/{kind}"}, record)

    def _operation(self, method: str, path: str) -> tuple[str, Json]:
        for pattern, template, methods in self._paths:
            if pattern.fullmatch(path) and method.lower() in methods:
                return f"{method} {template}", methods[method.lower()]
        raise AssertionError(f"{method} {path}: not in Stripe's API description")

    def _check_query(self, where: str, operation: Json, query: str) -> None:
        known = {p["name"]: p for p in operation.get("parameters", ()) if p["in"] == "query"}
        tree = _decode(query)
        for name, raw in tree.items():
            assert name in known, f"{where}: unknown query parameter {name}"
            schema = _translate(known[name]["schema"])
            self._judge(f"{where} query {name}", schema, self._coerce(raw, schema))
        lacking = {name for name, p in known.items() if p.get("required")} - set(tree)
        assert not lacking, f"{where}: missing query parameters {sorted(lacking)}"

    def _judge(self, where: str, schema: Json, instance: Any) -> None:
        error = best_match(self._validator(schema).iter_errors(instance))
        if error is not None:
            pointer = "/" + "/".join(str(part) for part in error.absolute_path)
            raise AssertionError(f"{where} {pointer}: {error.message[:300]}")

    def _validator(self, schema: Json) -> Draft202012Validator:
        key = json.dumps(schema, sort_keys=True)
        found = self._validators.get(key)
        if found is None:
            found = Draft202012Validator(schema, registry=self._registry)
            self._validators[key] = found
        return found

    def _coerce(self, raw: Any, schema: Json) -> Any:
        """A decoded form value as the JSON value that the schema means."""
        if "$ref" in schema:
            return self._coerce(raw, self._definitions[schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            tries = [self._coerce(raw, branch) for branch in schema["anyOf"]]
            fits = (self._fits(value, b) for value, b in zip(tries, schema["anyOf"], strict=True))
            return next((v for v, fit in zip(tries, fits, strict=True) if fit), tries[0])
        if isinstance(raw, dict):
            return self._coerce_tree(raw, schema)
        return _scalar(raw, schema.get("type"))

    def _coerce_tree(self, raw: Json, schema: Json) -> Any:
        if schema.get("type") == "array":
            return [self._coerce(value, schema.get("items", {})) for value in raw.values()]
        fields, other = schema.get("properties", {}), schema.get("additionalProperties")
        rest = other if isinstance(other, dict) else {}
        return {name: self._coerce(value, fields.get(name, rest)) for name, value in raw.items()}

    def _fits(self, value: Any, schema: Json) -> bool:
        return bool(self._validator(schema).is_valid(value))


def _scalar(raw: str, kind: str | None) -> Any:
    if kind == "integer" and re.fullmatch(r"-?\d+", raw):
        return int(raw)
    if kind == "number" and re.fullmatch(r"-?\d+(\.\d+)?", raw):
        return float(raw)
    if kind == "boolean" and raw in {"true", "false"}:
        return raw == "true"
    return raw


def _translate(node: Any) -> Any:
    """OpenAPI 3.0 to JSON Schema: `nullable` to "or null", references to our registry."""
    if isinstance(node, list):
        return [_translate(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {
        name: _translate(value)
        for name, value in node.items()
        if name != "description" or not isinstance(value, str)
    }
    reference = result.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/components/schemas/"):
        result["$ref"] = f"{_BASE}#/$defs/{reference.rpartition('/')[2]}"
    if result.get("nullable") is True:
        del result["nullable"]
        return {"anyOf": [{"type": "null"}, result]}
    return result


def _compile_paths(paths: Json) -> list[tuple[re.Pattern[str], str, Json]]:
    # Literal paths first: /v1/customers/search is not a customer of that id.
    ordered = sorted(paths.items(), key=lambda pair: (pair[0].count("{"), pair[0]))
    return [
        (re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))), path, methods)
        for path, methods in ordered
    ]


def _decode(form: str) -> Json:
    """Stripe's brackets, decoded without the sandbox's own reader, which is under test here."""
    tree: Json = {}
    for key, value in parse_qsl(form, keep_blank_values=True):
        head, *rest = re.split(r"[\[\]]+", key.rstrip("]"))
        node, name = tree, head
        for part in rest:
            node = node.setdefault(name, {})
            name = part or str(len(node))
        node[name] = value
    return tree


@cache
def _load(path: Path) -> StripeContract:
    return StripeContract(path)


def contract_is_here() -> bool:
    """Whether to check at all: the file exists, or its absence must be an error."""
    return _path().exists() or os.environ.get("REBILL_STRIPE_OPENAPI_REQUIRED") == "1"


def _path() -> Path:
    return Path(os.environ.get("REBILL_STRIPE_OPENAPI", _DEFAULT)).resolve()


def contract_or_skip() -> StripeContract:
    """The contract; without its file the test is skipped, or fails where the file is required."""
    path = _path()
    if path.exists():
        return _load(path)
    reason = "Stripe's API description is not here; REBILL_STRIPE_OPENAPI names the file."
    if os.environ.get("REBILL_STRIPE_OPENAPI_REQUIRED") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def check_log(
    entries: Iterable[Any], *, events: Iterable[Json] = (), refused_ok: bool = False
) -> int:
    """Check every request and answer of the local Stripe's log, and these events. Returns how many
    requests were checked.

    entries: `Sandbox.log.entries()`, or the JSON of `/_sandbox/log`. refused_ok: requests that were
    refused with a 4xx may be wrong on purpose. OAuth is not part of the description.
    """
    contract = contract_or_skip()
    checked = 0
    for entry in entries:
        facts: Json = entry if isinstance(entry, dict) else entry.facts()
        if not facts["path"].startswith("/v1/"):
            continue
        checked += 1
        refused = refused_ok and 400 <= facts["status"] < 500
        # Card numbers from a payment form are Stripe.js's own and not in the public description.
        if not refused and facts.get("key") != "publishable":
            contract.check_request(facts["method"], facts["path"], facts["body"], facts["query"])
        if facts["response"] is not None and not (refused and facts["status"] == 404):
            args = facts["method"], facts["path"], facts["status"], facts["response"]
            contract.check_response(*args)
    for event in events:
        contract.check_event(event)
    return checked
