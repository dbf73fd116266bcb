"""Measurements that other tools made: from the text of their files to runs and figures, and scores out to two formats.

Files are data: nothing in them is run, followed or fetched. A run becomes one proposal elsewhere; nothing here decides.
"""
