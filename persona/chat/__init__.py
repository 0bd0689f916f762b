"""Sessions, the conversation manager, compression, prompt layout and the engine."""
