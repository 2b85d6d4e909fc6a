"""The one exception a user is meant to read."""


class FacewrightError(Exception):
    """One clear sentence about what went wrong and what to do next; shown as it is in the panel and on the command line."""
