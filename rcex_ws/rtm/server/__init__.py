"""The server of RTM."""
