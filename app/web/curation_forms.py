"""What the pages of curation have in common: who is signed in, how a form is read and checked, and how trouble is told.

A form does the same step as REST, then leads back to a page (303). When it does not fit, the page is shown again with
what was typed and what is wrong; nothing has changed then. A form counts only if our own page sent it: the browser says
so (`Sec-Fetch-Site` or `Origin`), the cookie never comes with a request of another site, and the form brings the
session's token.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from anyio import to_thread
from fastapi import Request
from starlette.responses import RedirectResponse, Response

from app.access import Key, Scope
from app.curate.tags import Expected
from app.errors import (
    AppError,
    BadParameter,
    BadValue,
    ConditionFailed,
    Conflict,
    Forbidden,
    FormRefused,
    InvalidGraph,
    PreconditionNeeded,
    Unauthorized,
    UnsupportedMedia,
)
from app.outcomes import outcome
from app.services import Services
from app.web import pages
from app.web.logs import seen
from app.web.parameters import pairs
from app.web.problems import headers_of
from app.web.sessions import Session, Sessions, is_token
from app.web.writing import body_of, media_type_of

HOME = "/curate"
SIGN_IN = "/curate/sign-in"
COOKIE = "slmkg_session"
FORM = "application/x-www-form-urlencoded"
LONGEST = 1_000_000
"""Bytes of a form."""
NAME, TOKEN, SEEN = "form", "token", "seen"
"""Fields of every form: its name, the session's token, and the state that the page showed, where that may change."""
_OUR_PAGE = re.compile(r"/curate(?:[/?][\x21-\x7e]*)?", re.ASCII)
_TAG = re.compile(r"\d{1,12}-[0-9a-f]{1,64}", re.ASCII)
_ADVICE = {
    "unauthorized": "Sign in, in another tab if you like, and send the form again: what you typed is still here.",
    "forbidden": "Ask for a key that has it: `slmkg keys create` makes one.",
    "precondition-needed": "Open the page anew and send the form from there.",
    "condition-failed": "Below is how it stands now. Send the form again if it still fits.",
}
"""What to do next, where the advice for programs does not help a person."""


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody typed, by field; a field that was left out is empty."""

    values: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def text(self, name: str) -> str:
        """A field without blanks around it."""
        return self[name].strip()

    def given(self, name: str) -> str | None:
        """A field without blanks around it; None for an empty one."""
        return self.text(name) or None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a request, in words for people. `field` is the form's field; `form` is the form's name."""

    status: int
    title: str
    message: str
    advice: str
    field: str | None = None
    form: str = ""
    lines: tuple[str, ...] = ()
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doing:
    """What one form of a page does: `act` gives the address of the page to show next.

    `fields` names the form's fields by pointers into the JSON body of the same request.
    """

    act: Callable[[Form, Key], Awaitable[str]]
    fields: Callable[[Form], Mapping[str, str]] = lambda _: {}


Show: TypeAlias = Callable[[Session | None, Form, Trouble], Response]
"""The page again, with what was typed and what is wrong. Runs in a thread."""


def sessions_of(request: Request) -> Sessions:
    """The sessions of the application."""
    sessions: Sessions = request.app.state.sessions
    return sessions


def session_of(request: Request, services: Services) -> Session | None:
    """Who is signed in."""
    found = sessions_of(request).find(request.cookies.get(COOKIE), services.keys, services.now())
    if found is not None:
        seen(request.scope).actor = f"key {found.key.id}"
    return found


def page(template: str, session: Session | None, trouble: Trouble | None = None, /, **context: object) -> Response:
    """A page of curation. Nobody keeps one that was made for somebody."""
    headers = {
        "Cache-Control": "no-cache" if session is None else "no-store",
        "Vary": "Cookie",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        **(trouble.headers if trouble else {}),
    }
    status = trouble.status if trouble else 200
    return pages.page(template, status, headers, who=session, trouble=trouble, scopes=Scope, **context)


def visited(request: Request, services: Services, show: Callable[[Session | None], Response]) -> Response:
    """A page to read; trouble is a page too."""
    session = session_of(request, services)
    try:
        return show(session)
    except AppError as error:
        return page("curate-trouble.html", session, told(error))


async def submitted(request: Request, services: Services, show: Show, forms: Mapping[str, Doing]) -> Response:
    """Reads a form, checks where it comes from, does what it asks, and leads on. `forms` are the page's, by name."""
    session = await to_thread.run_sync(session_of, request, services)
    try:
        check_origin(request)
        typed = await form_of(request)
        name = typed[NAME]
        if name not in forms:
            raise BadParameter(NAME, f"{name!r} is no form of this page", advice="Send the form as the page has it.")
    except AppError as error:
        return page("curate-trouble.html", session, told(error))
    try:
        if session is None:
            raise Unauthorized("you are not signed in, or your session has ended")
        if not is_token(session, typed[TOKEN]):
            raise FormRefused(
                "this form does not belong to your session", advice="Nothing was changed. Look at it and send it again."
            )
        address = await forms[name].act(typed, session.key)
    except AppError as error:
        trouble = replace(told(error, forms[name].fields(typed)), form=name)

        def shown() -> Response:
            try:
                return show(session, typed, trouble)
            except AppError as other:
                return page("curate-trouble.html", session, told(other))

        return await to_thread.run_sync(shown)
    return led_on(address)


def led_on(address: str) -> Response:
    """The way to the page that shows what a form did."""
    return RedirectResponse(
        quote(address, safe="/?&=%#:-._~+,;@!$'()*"), status_code=303, headers={"Cache-Control": "no-store"}
    )


async def form_of(request: Request) -> Form:
    """The form in a request's body; UnsupportedMedia, QueryRefused, BadParameter for a field that comes twice."""
    media_type, _ = media_type_of(request)
    if media_type != FORM:
        raise UnsupportedMedia(f"{media_type or 'a body without a type'} is not read here", advice=f"Send {FORM}.")
    values: dict[str, str] = {}
    for name, value in pairs(await body_of(request, LONGEST)):
        if name in values:
            raise BadParameter(name, "is given twice", advice="Send the form as the page has it.")
        values[name] = value.replace("\r\n", "\n")
    return Form(values)


def check_origin(request: Request) -> None:
    """FormRefused unless the browser says that a page of this service sent the form."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        ours = site in {"same-origin", "none"}
    else:
        origin = _host(request.headers.get("origin", ""))
        ours = origin == request.headers.get("host", "")
    if not ours:
        raise FormRefused("the form was not sent from a page of this service", advice=f"Go to {HOME} and do it there.")


def expected(form: Form) -> Expected:
    """The state that the page showed, as REST has it in `If-Match`; PreconditionNeeded without it."""
    seen = form.text(SEEN)
    if not seen:
        raise PreconditionNeeded
    return Expected(frozenset({seen if _TAG.fullmatch(seen) else "0-0"}))


def needs(key: Key, *scopes: Scope) -> Key:
    """The key, if it allows one of these; Forbidden."""
    if not any(key.allows(scope) for scope in scopes):
        raise Forbidden(scopes[0].value)
    return key


def our_page(address: str | None) -> str:
    """An address if it is a page of curation, and else the first page: nobody is led elsewhere."""
    return address if address is not None and _OUR_PAGE.fullmatch(address) else HOME


def told(error: AppError, fields: Mapping[str, str] | None = None) -> Trouble:
    """An error as a page tells it."""
    known = outcome(error.code)
    pointer = error.pointer if isinstance(error, BadValue | Conflict) else None
    lines: tuple[str, ...] = ()
    if isinstance(error, ConditionFailed):
        lines = error.changes
    elif isinstance(error, InvalidGraph):
        lines = error.findings[:100]
    field_name = error.name if isinstance(error, BadParameter) else _field(pointer, fields or {})
    message = error.problem if isinstance(error, BadValue) and field_name is not None else error.message
    if isinstance(error, ConditionFailed):
        message = "somebody else was quicker: what this page showed has changed, and nothing of yours was done"
    return Trouble(
        status=known.status,
        title="You are not signed in" if isinstance(error, Unauthorized) else known.title,
        message=message,
        advice=_ADVICE.get(error.code, error.advice),
        field=field_name,
        lines=lines,
        headers=headers_of(error),
    )


def _field(pointer: str | None, fields: Mapping[str, str]) -> str | None:
    """The field that a pointer into the JSON body means: that of the longest beginning that is known."""
    while pointer:
        if pointer in fields:
            return fields[pointer]
        pointer = pointer.rpartition("/")[0]
    return None


def _host(origin: str) -> str | None:
    """Host and port of an origin; None for what is none."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc if parts.scheme in {"http", "https"} and parts.netloc else None
