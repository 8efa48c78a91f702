import datetime
import os
import sqlite3
import zoneinfo

from flask import Flask, render_template_string

app = Flask(__name__)


@app.get("/")
def shelf():
    with sqlite3.connect(":memory:") as store:
        store.execute("create table goods(name text)")
        store.executemany("insert into goods values (?)", [("pear",), ("plum",)])
        names = [name for name, in store.execute("select name from goods order by name desc")]
    return render_template_string("{{ names | join(' and ') }} from {{ place }}\n", names=names, place=os.getcwd())


@app.get("/noon/<path:zone>")
def noon(zone):
    return datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo(zone)).isoformat() + "\n"
