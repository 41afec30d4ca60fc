"""
Loggers are stored by the dotted name of a module, and a program has so many modules and no more.
"""
import logging
import sys

_loggers = {}  # clean: keyed by __name__ of modules


def get_logger(name):
    logger = _loggers.get(name)
    if logger is None:
        logger = logging.getLogger(name)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(levelname).1s %(name)s [%(session_id)s] %(message)s"))
        logger.handlers = [handler]
        logger.propagate = False
        _loggers[name] = logger
    return logger


log = get_logger(__name__)


def handle(session_id, text):
    log.info("got %d characters", len(text), extra={"session_id": session_id})
    return text[::-1]
