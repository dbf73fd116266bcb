"""GGUF files for llama.cpp: from architecture facts and random weights, or from a file of released weights."""
