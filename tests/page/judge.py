#!/usr/bin/env python3
"""Reads a page as a browser would, without running it, and prints what it found as JSON. Fails if anything in it could be
run, loaded or sent that the page itself did not bring."""
import base64
import hashlib
import html.parser
import json
import re
import sys

VOID = {"meta", "link", "br", "img", "input"}


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.bad = [], [], []
        self.texts = {"script": [], "style": []}
        self.policy, self.cells, self.ids = None, 0, []
        self.shown = []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        if len(names) != len(set(names)):
            self.bad.append(f"{tag} has an attribute twice")
        self.tags.append(tag)
        for name, value in attributes:
            if name.startswith("on") or name in ("style", "srcdoc", "src", "action", "formaction", "ping"):
                self.bad.append(f"{tag} has {name}={value}")
            if name == "href" and not value.startswith("#"):
                self.bad.append(f"a link leads out of the page: {value}")
            if name == "id":
                self.ids.append(value)
        if tag == "meta" and dict(attributes).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attributes)["content"]
            if self.texts["script"] or self.texts["style"]:
                self.bad.append("the policy comes too late")
        if tag in self.texts:
            self.texts[tag].append([dict(attributes).get("type"), ""])
        self.cells += tag == "td"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append(f"{tag} is closed, but not open")

    def handle_comment(self, text):
        self.bad.append(f"a comment: {text[:60]}")

    def handle_data(self, text):
        if self.open and self.open[-1] in self.texts:
            self.texts[self.open[-1]][-1][1] += text
        else:
            self.shown.append(text)


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


reader = Reader()
text = open(sys.argv[1], encoding="utf-8", newline="").read()
reader.feed(text)
reader.close()
bad = reader.bad + [f"{tag} stays open" for tag in reader.open if tag not in ("html", "body")]
known = {"html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "span", "p", "b", "i", "h1", "h2", "h3", "svg",
         "rect", "bdi", "code", "details", "summary", "ul", "ol", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "a",
         "noscript", "footer", "script"}
bad += [f"an element {tag}" for tag in set(reader.tags) - known]
scripts = [text for kind, text in reader.texts["script"] if kind is None]
data = [text for kind, text in reader.texts["script"] if kind == "application/json"]
styles = [text for _, text in reader.texts["style"]]
if len(scripts) > 1 or len(data) > 1 or len(styles) != 1:
    bad.append(f"{len(scripts)} scripts, {len(data)} data, {len(styles)} styles")
policy = dict(part.strip().split(" ", 1) for part in reader.policy.split(";"))
wanted = {"default-src": "'none'", "style-src": digest(styles[0]), "base-uri": "'none'", "form-action": "'none'"}
if scripts:
    wanted["script-src"] = digest(scripts[0])
bad += [f"policy {name}: {policy.get(name)}, not {value}" for name, value in wanted.items() if policy.get(name) != value]
if re.search(r"url\(|@import|expression\(", styles[0]):
    bad.append("the style loads something")
hidden = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
found = json.loads(data[0]) if data else None
if found:
    bad += [f"hidden text in {one!r}" for one in found["files"]["n"] + found["dirs"] if hidden.search(one)]
bad += [f"hidden text in {one!r}" for one in reader.shown if hidden.search(one.replace("\n", " "))]
if bad:
    sys.exit("\n".join(bad))
print(json.dumps({"data": found, "cells": reader.cells, "ids": reader.ids, "shown": [one for one in reader.shown if one.strip()]}))
