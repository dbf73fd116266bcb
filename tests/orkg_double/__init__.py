"""A double of the Open Research Knowledge Graph for tests: it behaves like ORKG's API and holds invented data.

It is not ORKG, speaks only on the loopback, and nothing under `app` may import it. See README.md in this folder.
"""
