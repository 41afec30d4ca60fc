"""A desk that fails stays checked out, because its user in another module gives it back only after the work went well."""

import secrets


class DeskPool:
    def __init__(self, size: int) -> None:
        self.free = list(range(size))  # clean: never longer than size
        self.taken: dict[str, int] = {}  # leaks SS002b: worker.py calls give_back() outside of a finally

    def take(self) -> str:
        token = secrets.token_hex(8)
        self.taken[token] = self.free.pop() if self.free else -1
        return token

    def give_back(self, token: str) -> None:
        number = self.taken.pop(token)
        if number >= 0:
            self.free.append(number)


pool = DeskPool(16)
