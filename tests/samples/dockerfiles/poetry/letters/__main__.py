import argparse

import waitress
from markdown_it import MarkdownIt

SIGNATURE = open("letters/signature.md").read()


def letter(environ, start):
    name = environ["PATH_INFO"].strip("/") or "reader"
    start("200 OK", [("Content-Type", "text/html")])
    return [MarkdownIt().render(f"Dear *{name}*,\n\n{SIGNATURE}").encode()]


options = argparse.ArgumentParser()
options.add_argument("--port", type=int, default=80)
waitress.serve(letter, port=options.parse_args().port)
