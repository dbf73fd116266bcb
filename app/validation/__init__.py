"""Shapes in, findings out: what is wrong with a record or with the whole graph. Never changes the graph."""
