"""Self- and semi-supervised skeleton action recognition, reproduced."""

__version__ = "0.1.0"
