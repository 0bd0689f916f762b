"""From the archive to rows that a model can be trained on."""
