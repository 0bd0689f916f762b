"""Measuring this program on this machine: speed, memory, first words, retrieval, overhead."""
