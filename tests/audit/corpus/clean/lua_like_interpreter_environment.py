"""
Variables live in an environment that is made for one evaluation of one script.
"""

import operator

from flask import Flask, request

app = Flask(__name__)
OPS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


class Environment:
    def __init__(self, parent=None):
        self.parent = parent
        self.values = {}  # clean: one environment for each evaluation

    def assign(self, key, value):
        self.values[key] = value

    def lookup(self, key):
        if key in self.values:
            return self.values[key]
        if self.parent is None:
            raise NameError(key)
        return self.parent.lookup(key)


def evaluate(source, user_id):
    env = Environment()
    env.assign("user_id", user_id)
    result = None
    for line in source.splitlines():
        name, _, expression = line.partition("=")
        left, op, right = expression.split()
        pair = [int(x) if x.isdigit() else env.lookup(x) for x in (left, right)]
        result = OPS[op](*pair)
        env.assign(name.strip(), result)
    return result


@app.post("/eval/<int:user_id>")
def run(user_id):
    return {"result": evaluate(request.get_data(as_text=True), user_id)}
