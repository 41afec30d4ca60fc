"""Unfinished orders stay in the bot's shared data, because paying writes the receipt and never takes the basket."""

from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes


async def post_init(application: Application) -> None:
    application.bot_data["baskets"] = {}  # leaks SS001: a paid basket is only marked
    application.bot_data["prices"] = {"tea": 3, "cake": 5}  # clean: a price list


async def add(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    baskets = context.bot_data["baskets"]
    basket = baskets.setdefault(update.effective_user.id, {"items": [], "paid": False})
    basket["items"] += context.args
    await update.message.reply_text(f"{len(basket['items'])} things in your basket")


async def pay(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    basket = context.bot_data["baskets"].get(update.effective_user.id)
    if not basket:
        await update.message.reply_text("nothing to pay")
        return
    total = sum(context.bot_data["prices"].get(i, 0) for i in basket["items"])
    basket["paid"] = True
    await update.message.reply_text(f"thank you: {total}")


app = Application.builder().token("...").post_init(post_init).build()
app.add_handler(CommandHandler("add", add))
app.add_handler(CommandHandler("pay", pay))
app.run_polling()
