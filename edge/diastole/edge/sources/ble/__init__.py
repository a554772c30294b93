"""Devices over Bluetooth LE: a module a protocol, one supervisor for all."""
