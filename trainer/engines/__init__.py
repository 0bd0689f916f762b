"""Engines that train an adapter, behind one contract."""
