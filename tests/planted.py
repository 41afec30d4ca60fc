"""
Scenarios that take something and give it back, each with a defect planted but the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

Book = list[str]

FOR_EVER = 1e6


def all_given_back(book: Book) -> None:
    """
    Fail if something was taken and not given back.
    """
    assert not book, f"lost: {book}"


async def good(book: Book) -> None:
    """
    Give back whatever happens.
    """
    await asyncio.sleep(1)
    book.append("it")
    try:
        await asyncio.sleep(1)
    finally:
        book.clear()


async def waits_before_registering(book: Book) -> None:
    """
    Lose it to one cancellation.
    """
    book.append("it")
    await asyncio.sleep(1)
    try:
        await asyncio.sleep(1)
    finally:
        book.clear()


async def waits_in_the_clean_up(book: Book) -> None:
    """
    Lose it to a second cancellation, or to a scope that goes on cancelling.
    """
    book.append("it")
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        await asyncio.sleep(1)
        book.clear()
        raise
    book.clear()


async def helper(book: Book) -> None:
    """
    Give back after a while.
    """
    await asyncio.sleep(1)
    book.clear()


async def trusts_a_task(book: Book) -> None:
    """
    Lose it when the helper is cancelled.
    """
    book.append("it")
    task = asyncio.create_task(helper(book))
    await asyncio.wait([task])


async def one_of_two(book: Book) -> None:
    """
    Lose it when both are cancelled that could give it back.
    """
    book.append("it")
    task = asyncio.create_task(helper(book))
    await asyncio.wait([task])
    book.clear()


async def expects_cancellation_only(book: Book) -> None:
    """
    Lose it to an error.
    """
    book.append("it")
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        book.clear()
        raise
    book.clear()


async def expects_to_be_read_to_its_end(book: Book) -> AsyncIterator[int]:
    """
    Lose it when nobody asks for more.
    """
    for number in range(3):
        book.append("it")
        yield number
        book.clear()
        await asyncio.sleep(1)
