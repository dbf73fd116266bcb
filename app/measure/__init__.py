"""The measurement suite: what a model costs to run, from its architecture facts or its weights. Never the store."""
