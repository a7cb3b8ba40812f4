"""File formats, read with care and without knowing any data set."""
