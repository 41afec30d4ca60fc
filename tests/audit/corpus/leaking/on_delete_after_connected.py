"""A page that is loaded and never connected keeps its listener, because its removal is arranged after an await that never returns."""

from nicegui import app, ui

from market import quotes

SYMBOLS = ["AAA", "BBB", "CCC"]  # clean: constant


@ui.page("/")
async def page(client):
    labels = {symbol: ui.label("-") for symbol in SYMBOLS}

    def show(symbol, price):
        labels[symbol].set_text(f"{symbol}: {price:.2f}")

    quotes.subscribe(show)  # leaks SS004b: connected() waits for ever for a robot, and on_delete is not yet set
    await client.connected(timeout=None)
    client.on_delete(lambda: quotes.unsubscribe(show))
    ui.button("close", on_click=client.delete)


app.on_startup(quotes.start)
ui.run(port=8090)
