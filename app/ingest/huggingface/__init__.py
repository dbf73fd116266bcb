"""Configuration files and model cards as Hugging Face keeps them: from text to claims and results of that source.

Files are data: nothing in them is run, followed or fetched. Only `hub` reaches the network, and only the command line
calls it.
"""
