"""Runs the W3C SPARQL 1.1 test suites against a running service. `python -m scripts.conformance --help`."""
