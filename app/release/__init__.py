"""Releases: named snapshots of one revision as files, made once, checked by anybody, never changed."""
