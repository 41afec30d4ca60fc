"""
Claiming a key drops every key that was claimed more than a day ago.
"""

import time

from django.http import HttpRequest, JsonResponse

DAY = 86_400
_claimed: dict[str, float] = {}  # clean: dropped a day after the claim, at each claim


def claim(key: str) -> bool:
    now = time.time()
    for old in [k for k, at in _claimed.items() if now - at > DAY]:
        del _claimed[old]
    if key in _claimed:
        return False
    _claimed[key] = now
    return True


def pay(request: HttpRequest) -> JsonResponse:
    key = request.headers.get("Idempotency-Key")
    if not key:
        return JsonResponse({"error": "Idempotency-Key is missing"}, status=400)
    if not claim(key):
        return JsonResponse({"error": "already paid"}, status=409)
    return JsonResponse({"paid": request.POST["amount"]})
