"""The parts of an evaluation: likelihood, style, replies, and the report."""
