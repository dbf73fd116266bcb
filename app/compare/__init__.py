"""The read side: lists of models, one model with all its evidence, comparison tables. Never writes."""
