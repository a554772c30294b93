"""The door: where records come from. What becomes of them is not known here."""
