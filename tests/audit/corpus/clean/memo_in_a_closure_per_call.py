"""
Each call of the resolver makes its own memo, which the closure keeps until the call returns.
"""


def resolve_all(session, names):
    memo = {}  # clean: per-call closure

    def resolve(name):
        if name in memo:
            return memo[name]
        memo[name] = None
        target = session.lookup(name)
        memo[name] = resolve(target[1:]) if target.startswith("@") else target
        return memo[name]

    return {name: resolve(name) for name in names}


def handle_resolve(request, session):
    return {"session_id": session.id, "resolved": resolve_all(session, request["names"])}
