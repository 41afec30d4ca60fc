"""Invitations are refused after their day and never thrown away, because only is_valid() reads their time."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone


@dataclass(frozen=True)
class Invitation:
    guest: str
    expires_at: datetime

    @property
    def expired(self) -> bool:
        return datetime.now(timezone.utc) >= self.expires_at


class Invitations:
    _issued: dict[str, Invitation] = {}  # leaks SS010: nobody deletes an expired one
    _used: int = 0

    @classmethod
    def issue(cls, guest: str, days: int = 1) -> str:
        token = secrets.token_urlsafe(24)
        cls._issued[token] = Invitation(guest, datetime.now(timezone.utc) + timedelta(days=days))
        return token

    @classmethod
    def is_valid(cls, token: str) -> bool:
        invitation = cls._issued.get(token)
        if invitation is None or invitation.expired:
            return False
        cls._used += 1
        return True
