"""
A migration keeps the new id of each user while it runs, and it runs a single time.
"""
import sqlite3
import sys
import uuid

new_id_of = {}  # clean: one-shot script


def move_users(old, new):
    for user_id, name in old.execute("select id, name from users"):
        fresh = uuid.uuid4().hex
        new_id_of[user_id] = fresh
        new.execute("insert into users values (?, ?)", (fresh, name))


def move_posts(old, new):
    for author_id, text in old.execute("select author, text from posts"):
        new.execute("insert into posts values (?, ?)", (new_id_of[author_id], text))


if __name__ == "__main__":
    source, target = sys.argv[1:3]
    with sqlite3.connect(source) as old_db, sqlite3.connect(target) as new_db:
        move_users(old_db, new_db)
        move_posts(old_db, new_db)
