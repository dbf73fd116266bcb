"""Turns tables of evidence into claims, results and registry quads. Knows files and values, never the store."""
