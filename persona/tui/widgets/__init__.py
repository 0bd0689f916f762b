"""The parts the screens are made of; none of them knows an engine."""
