"""Measuring the runtime."""
