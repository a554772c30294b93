"""Figures: measured tables that anyone can print again."""
