"""Small projects from end to end: sixty examples of the sample twin, and a task model for reminders."""
