"""A chat's context is kept until its user types /reset, because no other line removes it."""

import telebot

from brain import think

bot = telebot.TeleBot("TOKEN")
contexts = {}  # leaks SS002e: most users never type /reset
help_lines = ["/reset starts anew", "/help shows this"]  # clean: constant


@bot.message_handler(commands=["help"])
def show_help(message):
    bot.reply_to(message, "\n".join(help_lines))


@bot.message_handler(commands=["reset"])
def reset(message):
    contexts.pop(message.chat.id, None)
    bot.reply_to(message, "I have forgotten everything.")


@bot.message_handler(func=lambda message: True)
def talk(message):
    context = contexts.setdefault(message.chat.id, [])
    context.append(message.text)
    answer = think(context)
    context.append(answer)
    bot.reply_to(message, answer)


bot.infinity_polling()
