"""Makes what a version is handed out as. `python -m scripts.release` writes it; see `__main__`."""
