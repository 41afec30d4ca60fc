"""A chat's history is cut to twenty lines but the chat itself is never forgotten, because trimming works on the inner list alone."""

from aiogram import Dispatcher, F
from aiogram.types import Message

dp = Dispatcher()
MAX_TURNS = 20
memory: dict[int, list[str]] = {}  # leaks SS001: the inner list is short, the number of chats is not


def remember(chat_id: int, line: str) -> list[str]:
    lines = memory.get(chat_id, [])
    lines.append(line)
    memory[chat_id] = lines[-MAX_TURNS:]
    return memory[chat_id]


@dp.message(F.text)
async def on_text(message: Message, model) -> None:
    context = remember(message.chat.id, f"user: {message.text}")
    answer = await model.answer("\n".join(context))
    remember(message.chat.id, f"bot: {answer}")
    await message.answer(answer)
