"""One example that cannot be read, and why: whoever reads many says whether it is left out."""


class Unreadable(Exception):
    """Says why in a clause, without the name of the file, which the one that catches it knows."""
