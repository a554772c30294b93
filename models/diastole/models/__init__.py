"""Data sets, training, evaluation and the shipped model."""
