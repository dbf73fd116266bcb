"""The application for an ASGI server: `uvicorn app.asgi:app`. Settings come from the environment."""

from __future__ import annotations

from app.settings import Settings
from app.web import logs
from app.web.application import create_app
from app.wiring import build

settings = Settings()
logs.configure(settings.log_level)
logs.hide_parameters()
app = create_app(build(settings))
