"""Raw signals to beats, quality and motion."""
