"""Errors that a user can act on; the command line shows their message without a traceback."""


class UserError(Exception):
    """Something outside the program is wrong: the message says what, where and what to do."""


class ConfigError(UserError):
    """The configuration cannot be used."""


class DataError(UserError):
    """A data set is missing or damaged."""


class RunError(UserError):
    """A method refused its parameters or its data."""
