"""Long work that survives a restart: a queue of cells, the processes that measure them, and what became of them."""
