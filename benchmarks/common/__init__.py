"""What all programs share: processes, measuring, and the report."""
