"""Decides which claims are accepted, derives values from them, and commits. Nothing else commits."""
