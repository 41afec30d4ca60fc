"""
register() returns the function that deletes the row, and the agent keeps it until its finally.
"""
_services = {}  # clean: agent.py calls the returned function in finally


def register(instance_id, address):
    _services[instance_id] = address

    def unregister():
        _services.pop(instance_id, None)

    return unregister


def addresses():
    return sorted(_services.values())
