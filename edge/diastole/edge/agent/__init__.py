"""The agent: sources, pipeline and delivery joined, supervised, with its health told."""
