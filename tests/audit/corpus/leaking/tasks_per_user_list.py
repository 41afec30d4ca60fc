"""Each user who ever asked keeps an empty group of tasks, because the callback removes the task and leaves the group."""

import asyncio

from telegram.ext import Application, MessageHandler, filters

tasks_of: dict[int, set[asyncio.Task]] = {}  # leaks SS002f: done tasks leave, their user's set does not


async def answer(update, context):
    reply = await context.application.model.ask(update.message.text)
    await update.message.reply_text(reply)


async def on_message(update, context):
    user_id = update.effective_user.id
    mine = tasks_of.setdefault(user_id, set())
    if len(mine) >= 3:
        await update.message.reply_text("one after the other, please")
        return
    task = asyncio.create_task(answer(update, context))
    mine.add(task)
    task.add_done_callback(mine.discard)


def build(token, model):
    app = Application.builder().token(token).build()
    app.model = model
    app.add_handler(MessageHandler(filters.TEXT, on_message))
    return app
