"""The one exception a user is meant to read."""


class FacewrightError(Exception):
    """One clear sentence about what went wrong and what to do next.

    Shown as it is in the panel and on the command line.
    """


def sentence_for(error: BaseException) -> str:
    """Return one readable sentence for any exception."""
    if type(error).__name__ == 'FacewrightError':
        return str(error)
    text = ' '.join(str(error).split())[:300]
    if (
        isinstance(error, MemoryError)
        or 'not enough memory' in text
        or "can't allocate memory" in text
        or 'out of memory' in text
    ):
        return 'The memory is full: close other programs, or take a shorter or smaller clip.'
    if isinstance(error, KeyboardInterrupt):
        return 'Stopped.'
    if isinstance(error, ImportError):
        return (
            f'The engine cannot import what it needs ({text}): install Facewright again, '
            'or choose another environment in its preferences.'
        )
    return (
        f'Something went wrong that Facewright did not foresee ({type(error).__name__}: {text}): '
        'please report it with the log.'
    )
