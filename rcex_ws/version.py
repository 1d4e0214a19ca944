"""The version, once: the build reads it here, and so does the User-Agent, without opening a file."""

__all__ = ["__version__"]

__version__ = "0.1.0"
