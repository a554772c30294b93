"""Drawing only: terminal and pictures."""
