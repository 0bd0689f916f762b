"""Persona cards as other programs have them: SillyTavern's character cards."""
