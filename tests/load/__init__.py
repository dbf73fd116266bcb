"""The running service under attack, and under load for a long time: bounded in number and rate, on the loopback only.

`python -m tests.load --minutes 20 --out FILE` runs the campaign: mixed traffic on a service of its own, and at the end
a look at whether every accepted write is there. `python -m tests.load report FILE …` makes a page of what was found.
"""
