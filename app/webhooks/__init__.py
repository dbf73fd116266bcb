"""Tells other services, over HTTP and signed, what was committed."""
