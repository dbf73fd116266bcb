"""Tests of the conformance runner, on made-up manifests and a made-up service."""
