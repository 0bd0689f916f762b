"""A/B: the same conversation under different settings, measured; and the choices people made blind."""
