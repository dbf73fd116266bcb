"""The application for an ASGI server: `uvicorn app.asgi:app`. Settings come from the environment."""

from __future__ import annotations

from app.settings import Settings
from app.web.application import create_app
from app.wiring import build

app = create_app(build(Settings()))
