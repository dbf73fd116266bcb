"""The first page of curation, and signing in and out. Reading needs no key; a key is pasted once and kept nowhere."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import FastAPI, Query, Request
from starlette.responses import RedirectResponse, Response

from app.compare.reader import Reader, local_name
from app.curate import proposals
from app.curate.proposals import Filter
from app.errors import AppError, FormRefused, StoreEmpty, Unauthorized
from app.model.proposals import State
from app.services import Services
from app.store.port import Snapshot
from app.web import case_pages, curation_forms, pages, proposal_pages, words
from app.web.caching import Use
from app.web.curation_forms import COOKIE, HOME, SIGN_IN, TOKEN, Form, Trouble
from app.web.sessions import Session, Sessions, is_token

SIGN_OUT = "/curate/sign-out"
_FIRST = 5


def register(app: FastAPI) -> None:
    """Add the pages to an application; they stand outside the API's documentation."""
    app.state.sessions = Sessions(app.state.services.settings.data_dir / "sessions.json")
    pages.add(
        app,
        ("GET", HOME, home),
        ("GET", SIGN_IN, ask_for_key),
        ("POST", SIGN_IN, sign_in),
        ("POST", SIGN_OUT, sign_out),
        *case_pages.ROUTES,
        *proposal_pages.ROUTES,
    )


def home(request: Request, services: Use) -> Response:
    """What waits for a curator, and how to become one."""

    def show(session: Session | None) -> Response:
        try:
            head = services.store.head().number
        except StoreEmpty:
            return curation_forms.page("curate.html", session, head=None)
        snapshot = services.curation.at(head)
        queue = services.curation.disputes(services.weights(), head)
        waiting = [one for one in queue if one.rule is None]
        return curation_forms.page(
            "curate.html",
            session,
            head=head,
            open=len(waiting),
            settled=len(queue) - len(waiting),
            first=case_pages.queue_rows(services, head, waiting[:_FIRST]),
            odd=_odd(snapshot),
            proposals=len(proposals.find(snapshot, Filter(state=State.OPEN))),
        )

    return curation_forms.visited(request, services, show)


def _odd(snapshot: Snapshot) -> list[dict[str, str]]:
    """Measured figures that are far from their cost: each waits for somebody to look at facts and samples."""
    return [
        {
            "model": row["name"].value,
            "address": f"/models/{local_name(row['model'].value)}#runtime",
            "cell": row["cell"].value,
            "metric": row["metric"].value,
            "times": words.significant(float(row["ratio"].value)),
            "source": row["source"].value,
        }
        for row in Reader(snapshot).rows("outliers")
    ]


def ask_for_key(
    request: Request, services: Use, to: Annotated[str | None, Query(alias="next", max_length=2000)] = None
) -> Response:
    """The form for a key; `next` is the page of curation to go on to."""
    return curation_forms.visited(request, services, lambda session: _form(session, curation_forms.our_page(to)))


async def sign_in(request: Request, services: Use) -> Response:
    """Opens a session for the owner of a key, and leads on. The key itself is not kept."""

    def opened(typed: Form) -> str:
        key = services.keys.find(typed.text("key"))
        if key is None:
            raise Unauthorized("the key is not known, or was revoked")
        sessions = curation_forms.sessions_of(request)
        sessions.end(request.cookies.get(COOKIE))
        return sessions.begin(key, services.now())

    to = HOME
    try:
        curation_forms.check_origin(request)
        typed = await curation_forms.form_of(request)
        to = curation_forms.our_page(typed["next"])
        name = await to_thread.run_sync(opened, typed)
    except AppError as error:
        trouble = curation_forms.told(error)
        if isinstance(error, Unauthorized):
            trouble = Trouble(
                trouble.status,
                "This key opens nothing",
                error.message,
                "Paste the whole key, from `slmkg_` to its last character.",
                field="key",
                headers=trouble.headers,
            )
        return _form(None, to, trouble)
    response = curation_forms.led_on(to)
    _keep(response, request, services, name)
    return response


async def sign_out(request: Request, services: Use) -> Response:
    """Ends the session; the cookie opens nothing any more."""
    session = await to_thread.run_sync(curation_forms.session_of, request, services)
    try:
        curation_forms.check_origin(request)
        typed = await curation_forms.form_of(request)
        if session is not None and not is_token(session, typed[TOKEN]):
            raise FormRefused("this form does not belong to your session", advice="Open the page anew and try again.")
        await to_thread.run_sync(curation_forms.sessions_of(request).end, request.cookies.get(COOKIE))
    except AppError as error:
        return curation_forms.page("curate-trouble.html", session, curation_forms.told(error))
    response = RedirectResponse(HOME, status_code=303, headers={"Cache-Control": "no-store"})
    response.delete_cookie(COOKIE, path=HOME, secure=_is_secure(request, services), httponly=True, samesite="strict")
    return response


def _form(session: Session | None, to: str, trouble: Trouble | None = None) -> Response:
    response = curation_forms.page("sign-in.html", session, trouble, to=to)
    response.headers["Cache-Control"] = "no-store"
    return response


def _keep(response: Response, request: Request, services: Services, name: str) -> None:
    """Give the browser the session's name, for as long as it is open and for these pages only."""
    secure = _is_secure(request, services)
    response.set_cookie(COOKIE, name, path=HOME, secure=secure, httponly=True, samesite="strict")


def _is_secure(request: Request, services: Services) -> bool:
    return request.url.scheme == "https" or (services.settings.public_url or "").startswith("https:")
