"""The pages a person needs: overview, payment, 3-D Secure, onboarding, OAuth."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import compare_digest
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from stripe_sandbox import account_links, oauth, payment_intents
from stripe_sandbox.actions import Actions
from stripe_sandbox.calls import Call
from stripe_sandbox.cards import BY_TOKEN, METHODS
from stripe_sandbox.errors import ApiError, Json
from stripe_sandbox.html import Safe, button, form, h, link, page, table, tag
from stripe_sandbox.request_log import RequestLog
from stripe_sandbox.state import State
from stripe_sandbox.storage import PLATFORM

_SHOWN = 20


@dataclass
class Pages:
    """The pages of one sandbox."""

    state: State
    actions: Actions
    log: RequestLog

    def routes(self) -> list[Route]:
        """All pages."""
        both = ["GET", "POST"]
        return [
            Route("/", self.overview, methods=["GET"]),
            Route("/pay/{intent}", self.pay, methods=both),
            Route("/3ds/{intent}", self.three_d_secure, methods=both),
            Route("/onboarding/{link}", self.onboarding, methods=both),
            Route("/oauth/authorize", self.authorize, methods=both),
        ]

    async def overview(self, _: Request) -> Response:
        """Accounts, payments, events and requests, newest first."""
        store = self.state.store
        connected = [
            (row["id"], row["country"], row["default_currency"], row["charges_enabled"])
            for _, row in store.everywhere("account")
        ]
        payments = [
            (account, self._pay_link(account, row), _money(row), row["status"])
            for account, row in _newest(store.everywhere("payment_intent"))
        ]
        events = [
            (event["id"], account, event["type"], event["pending_webhooks"])
            for account, event in _newest(store.everywhere("event"))
        ]
        requests = [
            (entry.method, entry.path, entry.account or "platform", entry.status)
            for entry in reversed(self.log.entries()[-_SHOWN:])
        ]
        return page(
            "Local Stripe",
            tag("h2", "Connected accounts"),
            table(("Account", "Country", "Currency", "Can charge"), connected[-_SHOWN:]),
            tag("h2", "Payments"),
            table(("Account", "PaymentIntent", "Amount", "Status"), payments),
            tag("h2", "Events"),
            table(("Event", "Account", "Type", "Webhooks pending"), events),
            tag("h2", "Requests"),
            table(("Method", "Path", "Account", "Status"), requests),
        )

    async def pay(self, request: Request) -> Response:
        """What a shop's payment form does: confirm an intent with a test card."""
        intent = request.path_params["intent"]
        posted = request.method == "POST"
        given = await _form(request) if posted else dict(request.query_params)
        account, secret = given.get("account", ""), given.get("client_secret", "")
        call = self._call(account or PLATFORM, intent, {"client_secret": secret})
        try:
            record = payment_intents.retrieve(call)
        except ApiError as error:
            return page("Payment not found", tag("p", error), status=404)
        problem: str | None = None
        if posted:
            problem = self._confirm(call, given)
            if record["status"] == "requires_action":
                return RedirectResponse(self._3ds_address(record), 303)
        return page(f"Pay {_money(record)}", *_payment(record, account, secret, problem))

    def _confirm(self, call: Call, given: dict[str, str]) -> str | None:
        number, token = given.get("number", ""), given.get("token", "")
        params: Json = {**call.params}
        if number:
            params["payment_method_data"] = {"type": "card", "card": {"number": number}}
        elif token in BY_TOKEN:
            params["payment_method"] = token
        paying = self._call(call.account, call.ids["id"], params)
        try:
            payment_intents.confirm(paying)
        except ApiError as error:
            return str(error)
        finally:
            self.state.commit()
        return None

    def _call(self, account: str, intent: str, params: Json) -> Call:
        return Call(
            state=self.state, account=account, params=params, ids={"id": intent}, publishable=True
        )

    async def three_d_secure(self, request: Request) -> Response:
        """The bank's page: approve or fail the authentication of a payment or a setup."""
        found = self.state.store.find(request.path_params["intent"])
        if found is None or found[1]["object"] not in ("payment_intent", "setup_intent"):
            return page("Nothing to authenticate", status=404)
        record = found[1]
        if request.method == "POST":
            return await self._decide_3ds(request, record)
        if record["status"] != "requires_action":
            return page("3-D Secure", tag("p", f"Nothing to do: {record['status']}."))
        hidden = {"client_secret": record["client_secret"]}
        choice = form("", hidden, button("approve", "1", "Approve"), button("fail", "1", "Fail"))
        return page("3-D Secure", tag("p", f"Is it you who pays {_money(record)}?"), choice)

    async def _decide_3ds(self, request: Request, record: Json) -> Response:
        given = await _form(request)
        if not compare_digest(given.get("client_secret", ""), record["client_secret"]):
            return page("Not allowed", status=403)
        try:
            self.actions.answer_3ds(record["id"], approved="approve" in given)
        except ApiError as error:
            return page("3-D Secure", tag("p", error), status=409)
        back = record.get("_return_url")
        if back and str(back).startswith(("http://", "https://")):
            name = record["object"]
            query = {name: record["id"], f"{name}_client_secret": record["client_secret"]}
            return RedirectResponse(f"{back}{'&' if '?' in back else '?'}{urlencode(query)}", 303)
        return page("3-D Secure", tag("p", f"Done: the {record['object']} is {record['status']}."))

    async def onboarding(self, request: Request) -> Response:
        """Stripe's onboarding in two buttons; the link opens once."""
        link_id = request.path_params["link"]
        if request.method == "POST":
            given = await _form(request)
            target = account_links.submit(
                self.state, link_id, given.get("form", ""), complete="complete" in given
            )
            self.state.commit()
            if target is None:
                return page("This form was used already", status=409)
            return RedirectResponse(target, 303)
        held, refresh = account_links.open_once(self.state, link_id)
        self.state.commit()
        if refresh is not None:
            return RedirectResponse(refresh, 303)
        if held is None:
            return page("No such link", status=404)
        buttons = (
            button("complete", "1", "Complete onboarding"),
            button("restrict", "1", "Leave restricted"),
        )
        title = f"Onboard {held['account']}"
        return page(title, form("", {"form": held["form"]}, *buttons))

    async def authorize(self, request: Request) -> Response:
        """OAuth: let the platform act for an account, or not."""
        query = dict(request.query_params)
        problem = oauth.check_authorize(self.state, query)
        if problem:
            return page("Cannot connect", tag("p", problem), status=400)
        if request.method == "POST":
            return self._decide_oauth(query, await _form(request))
        options = "".join(
            f'<option value="{h(row["id"])}">{h(row["id"])}</option>'
            for _, row in self.state.store.everywhere("account")
        )
        choice = Safe(
            f'<select name="account"><option value="">a new account</option>{options}</select> '
        )
        return page(
            "Connect to the platform",
            form(
                f"?{urlencode(query)}", {}, choice, button("allow", "1", "Allow"),
                button("deny", "1", "Deny"),
            ),
        )  # fmt: skip

    def _decide_oauth(self, query: Json, given: dict[str, str]) -> Response:
        account = given.get("account", "") or None
        if account and self.state.store.get(PLATFORM, "account", account) is None:
            return page("No such account", status=400)
        target = oauth.decide(self.state, query, allow="allow" in given, account=account)
        self.state.commit()
        return RedirectResponse(target, 303)

    def _pay_link(self, account: str, record: Json) -> Safe:
        query = {"client_secret": record["client_secret"]}
        if account != PLATFORM:
            query["account"] = account
        return link(f"/pay/{quote(record['id'])}?{urlencode(query)}", record["id"])

    def _3ds_address(self, record: Json) -> str:
        return f"/3ds/{quote(record['id'])}"


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def _newest(rows: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
    return sorted(rows, key=lambda pair: pair[1]["created"], reverse=True)[:_SHOWN]


def _money(record: Json) -> str:
    if "amount" not in record:
        return "nothing (a card is saved)"
    return f"{record['amount']} minor units of {record['currency']}"


def _payment(record: Json, account: str, secret: str, problem: str | None) -> list[Safe]:
    parts = [tag("p", f"{record['id']} on {account or 'the platform'}: {record['status']}")]
    if problem:
        parts.append(tag("p", problem, css="bad"))
    if record["status"] in ("succeeded", "processing", "canceled"):
        return [*parts, tag("p", f"This payment is {record['status']}.", css="good")]
    hidden: dict[str, Any] = {"client_secret": secret, "account": account}
    number = Safe(
        'Test card number: <input name="number" placeholder="4242 4242 4242 4242" '
        'autocomplete="off"> <button>Pay</button>'
    )
    rows = [
        (method.number, method.label, form("", hidden, button("token", method.token, "Pay")))
        for method in METHODS
    ]
    return [*parts, form("", hidden, number), table(("Number", "What it does", ""), rows)]
