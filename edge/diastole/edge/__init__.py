"""The agent's side: recordings and wearables in, readings out."""

__version__ = "0.1.0"
