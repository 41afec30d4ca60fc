"""
The dataclass, with its default factories, is built for one request and returned as its result.
"""
from dataclasses import asdict, dataclass, field

from flask import Flask, jsonify, request

app = Flask(__name__)


@dataclass
class Draft:
    order_id: str
    amounts: dict[str, int] = field(default_factory=dict)  # clean: one draft for each request
    missing: set[str] = field(default_factory=set)  # clean: one draft for each request

    def take(self, item_id, amount, stock):
        if stock.get(item_id, 0) < amount:
            self.missing.add(item_id)
        else:
            self.amounts[item_id] = self.amounts.get(item_id, 0) + amount


@app.post("/orders/<order_id>/quote")
def quote(order_id):
    draft = Draft(order_id)
    stock = app.config["STOCK"]()
    for line in request.get_json():
        draft.take(line["item_id"], line["amount"], stock)
    return jsonify({**asdict(draft), "missing": sorted(draft.missing)})
