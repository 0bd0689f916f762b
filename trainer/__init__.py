"""How the twin learns to write like its owner."""
