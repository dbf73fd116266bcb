"""The inference engines that can be measured, one module each, imported only when it is asked for.

A module imports its engine's package when a cell runs, never before: without the extra the rest works, and the cell
says which extra to install (`app.errors.ExtraMissing`).
"""
