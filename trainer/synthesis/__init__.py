"""Rows that another model writes: questions on texts, and examples of a task."""
