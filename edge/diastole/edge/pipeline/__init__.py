"""Observe and judge, a module a stage; no files, no network, no clock."""
