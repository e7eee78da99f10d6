"""Plain HTML for a person; every value is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any, Final

from starlette.responses import HTMLResponse

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1f36}table{border-collapse:collapse;width:100%;font-size:14px}td,th{text-align:left;"
    "padding:.25rem .75rem .25rem 0;border-bottom:1px solid #e3e8ee}button{font:inherit;padding:"
    ".4rem 1rem;margin-right:.5rem;cursor:pointer}input,select{font:inherit;padding:.3rem}"
    ".note{background:#fff8e1;padding:.5rem 1rem}.bad{color:#b3093c}.good{color:#05690d}"
)
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Safe(str):
    """HTML that has been escaped already."""

    __slots__ = ()


def h(value: Any) -> Safe:
    """A value as HTML text, also good inside quoted attributes."""
    return value if isinstance(value, Safe) else Safe(escape(str(value)))


def page(title: str, *parts: Safe, status: int = 200) -> HTMLResponse:
    """A whole page."""
    head = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{h(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        '<p class="note">Local stand-in for Stripe: no real money, only test cards.</p>'
    )
    return HTMLResponse(f"{head}<h1>{h(title)}</h1>{''.join(parts)}", status, headers=_HEADERS)


def tag(name: str, content: Any, *, css: str = "") -> Safe:
    """One element."""
    attribute = f' class="{h(css)}"' if css else ""
    return Safe(f"<{name}{attribute}>{h(content)}</{name}>")


def table(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> Safe:
    """A table; the last heading may be for buttons."""
    head = "".join(tag("th", heading) for heading in headings)
    body = "".join(f"<tr>{''.join(tag('td', cell) for cell in row)}</tr>" for row in rows)
    return Safe(f"<table><tr>{head}</tr>{body}</table>")


def link(address: str, text: Any) -> Safe:
    """A link inside this sandbox."""
    return Safe(f'<a href="{h(address)}">{h(text)}</a>')


def form(action: str, hidden: dict[str, Any], *parts: Safe) -> Safe:
    """A form that is posted."""
    fields = "".join(
        f'<input type="hidden" name="{h(name)}" value="{h(value)}">'
        for name, value in hidden.items()
    )
    return Safe(f'<form method="post" action="{h(action)}">{fields}{"".join(parts)}</form>')


def button(name: str, value: str, text: str) -> Safe:
    """A submit button."""
    return Safe(f'<button name="{h(name)}" value="{h(value)}">{h(text)}</button>')
