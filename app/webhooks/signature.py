"""How a delivery is signed: the Standard Webhooks scheme, version 1 (HMAC-SHA256). Knows no files and no network.

The signed text is the delivery's id, the time in seconds since 1970 and the body, with dots between them. A secret is
written `whsec_` and base64 of 24 to 64 bytes, as the libraries for that scheme expect it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

from app.errors import BadParameter

_PREFIX = "whsec_"
_LENGTH = 32
_ALLOWED = range(24, 65)


def new_secret() -> str:
    """A fresh secret."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_LENGTH)).decode()


def checked_secret(secret: str) -> str:
    """A secret that somebody brought; BadParameter, which never repeats it."""
    advice = "Leave it out to get one, or give whsec_ and base64 of 24 to 64 random bytes."
    if not secret.startswith(_PREFIX):
        raise BadParameter("secret", "does not begin with whsec_", advice=advice)
    try:
        length = len(_key(secret))
    except (binascii.Error, ValueError) as error:
        raise BadParameter("secret", "is not base64", advice=advice) from error
    if length not in _ALLOWED:
        raise BadParameter("secret", f"has {length} bytes", advice=advice)
    return secret


def headers(secret: str, delivery: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of a delivery."""
    signed = f"{delivery}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
    return {"webhook-id": delivery, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{signature}"}


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
