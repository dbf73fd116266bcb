"""slmkg: knowledge-graph curation and query service for small language models."""

__version__ = "0.1.0"
