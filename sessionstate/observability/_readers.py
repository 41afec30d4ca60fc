"""The supervisors that one exporter tells of, each under a name of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from ._reading import Reader, Reading

R = TypeVar("R", bound="Reader")


class Readers(Generic[R]):
    """
    Readers by the name of their supervisor. They are gone through from any thread.
    """

    def __init__(self) -> None:
        self._readers: dict[str, R] = {}

    def add(self, reader: R) -> None:
        """
        Tell of one more supervisor, in place of one of this name that was left.

        Raises:
            ValueError: If another one has this name: their figures would be taken for each other's.
        """
        other = self._readers.get(reader.name)
        if other is not None and not other.is_over():
            reader.close()
            raise ValueError(
                f"a supervisor named {reader.name!r} is told of already: give each a name of its "
                f"own, as in Supervisor(name='chat'), or cancel the first"
            )
        for each in list(self._readers.values()):
            if each is other or each.is_gone():
                self.remove(each)
        self._readers[reader.name] = reader

    def remove(self, reader: R) -> None:
        """Tell of a supervisor no more."""
        reader.close()
        if self._readers.get(reader.name) is reader:
            del self._readers[reader.name]

    def read(self) -> list[tuple[R, Reading]]:
        """Return what there is to be told of each."""
        found = [(reader, reader.read()) for reader in list(self._readers.values())]
        return [(reader, reading) for reader, reading in found if reading is not None]
