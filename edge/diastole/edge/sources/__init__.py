"""The doors through which records come."""
