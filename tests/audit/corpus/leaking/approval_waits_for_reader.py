"""An approval nobody answers stays pending, because it is thrown away only when it is asked for after its hour."""

import datetime as dt
from dataclasses import dataclass, field


@dataclass
class Approval:
    tool: str
    arguments: dict
    asked: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


class ApprovalDesk:
    lifetime = dt.timedelta(hours=1)

    def __init__(self) -> None:
        self.pending: dict[str, Approval] = {}  # leaks SS002g: taken out in peek(), for the asked id alone
        self.auto: set[str] = {"read_file", "list_dir"}  # clean: constant

    def ask(self, approval_id: str, tool: str, arguments: dict) -> bool:
        if tool in self.auto:
            return True
        self.pending[approval_id] = Approval(tool, arguments)
        return False

    def peek(self, approval_id: str) -> Approval | None:
        approval = self.pending.get(approval_id)
        if approval and dt.datetime.now(dt.UTC) - approval.asked > self.lifetime:
            self.pending.pop(approval_id)
            approval = None
        return approval


DESK = ApprovalDesk()
