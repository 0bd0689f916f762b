"""What the twin knows: importers, the archive, the index derived from it, and retrieval.

Knows nothing of models, prompts or terminals; it is given folders and callables.
"""
