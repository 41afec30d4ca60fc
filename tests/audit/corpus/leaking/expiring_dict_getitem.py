"""One-time passwords that nobody types in stay for ever, because the dictionary drops an old one only as it is looked up."""

import secrets
import time
from collections import UserDict


class ExpiringDict(UserDict):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def __setitem__(self, key, value):
        super().__setitem__(key, (time.time(), value))

    def __getitem__(self, key):
        born, value = super().__getitem__(key)
        if time.time() - born > self.seconds:
            del self.data[key]
            raise KeyError(key)
        return value


one_time_codes = ExpiringDict(300)  # unseen SS002g: only a look-up of the same phone number removes
senders = {"sms": "+4900", "voice": "+4901"}  # clean: constant


async def send_code(phone, gateway, way="sms"):
    one_time_codes[phone] = f"{secrets.randbelow(10**6):06}"
    await gateway.send(senders[way], phone, one_time_codes[phone])


def verify(phone, typed):
    try:
        return secrets.compare_digest(one_time_codes[phone], typed)
    except KeyError:
        return False
