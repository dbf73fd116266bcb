"""Bulk work: tables and Hugging Face files in, tables out. Gives claims and results with a verdict for every cell.

It never writes to a store and never decides anything: what it reads becomes a proposal elsewhere.
"""
