"""From trained weights to files that engines load."""
