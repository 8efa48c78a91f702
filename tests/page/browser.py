#!/usr/bin/env python3
"""Opens a page in headless Chromium and judges it: no error, no breach of its policy, no overflow, quick, usable by keyboard,
and a table without scripts. Takes pictures in both colour schemes and two widths.

    browser.py PAGE.html FOLDER [COMMAND OF CHROMIUM …]
"""
import base64
import json
import os
import subprocess
import sys
import time

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--remote-debugging-pipe", "--no-first-run", "--disable-extensions", "--disable-quic", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "about:blank"]
DEADLINE = 60


class Browser:
    """Speaks the DevTools protocol through two pipes."""

    def __init__(self, command):
        to_browser, self.write = os.pipe()
        self.read, from_browser = os.pipe()
        script = f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"'
        self.process = subprocess.Popen(["sh", "-c", script, "sh", *command, *FLAGS], pass_fds=(to_browser, from_browser),
                                        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest, self.events, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        # Time of the processor, so that a busy machine changes nothing.
        self.call("Performance.enable", timeDomain="threadTicks")

    def message(self):
        while b"\0" not in self.rest:
            data = os.read(self.read, 1 << 20)
            if not data:
                sys.exit("the browser has ended")
            self.rest += data
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def run(self, code):
        result = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            sys.exit(f"{code}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, url, width, height, scheme, script=True):
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.go("about:blank")
        return self.go(url)

    def go(self, url):
        """Loads a page; the seconds that it took."""
        self.events, begun = [], time.monotonic()
        self.call("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.message())
            if time.monotonic() - begun > DEADLINE:
                sys.exit("the page does not load")
        return time.monotonic() - begun

    def picture(self, to):
        with open(to, "wb") as out:
            out.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def key(self, key, text=None):
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def troubles(self):
        """What the browser complains about, and every request but for the page itself."""
        found = []
        for event in self.events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Log.entryAdded":
                found.append(params["entry"]["text"])
            elif method == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"].get("exception", {}).get("description")))
            elif method == "Network.requestWillBeSent" and params["type"] != "Document":
                found.append("request of " + params["request"]["url"])
        return found


def main():
    page, folder, *command = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    browser = Browser(command or ["chromium"])
    url = os.environ.get("PAGE_URL") or "file://" + os.path.abspath(page)
    failed = []

    def judge(is_right, says):
        if not is_right:
            failed.append(says)

    for width, height in ((1280, 900), (480, 1000)):
        for scheme in ("light", "dark"):
            where = f"{width} {scheme}"
            spent = browser.open(url, width, height, scheme)
            judge(browser.run("innerWidth") == width, f"{where}: width")
            ready = int(browser.run("document.documentElement.dataset.ready || -1"))
            judge(0 <= ready, f"{where}: the script has not ended")
            metrics = {one["name"]: one["value"] for one in browser.call("Performance.getMetrics")["metrics"]}
            work = 1000 * metrics["TaskDuration"]
            print(f"{where}: {work:.0f} ms of work, ready after {ready} ms, loaded after {1000 * spent:.0f} ms, "
                  f"{browser.run('document.getElementsByTagName(`*`).length')} elements")
            judge(work < 1000, f"{where}: {work:.0f} ms of work")
            judge(browser.run("document.scrollingElement.scrollWidth <= innerWidth"), f"{where}: wider than the window")
            tiles = browser.run("document.querySelectorAll('.tile').length")
            judge(tiles > 0, f"{where}: no tiles")
            browser.picture(f"{folder}/{width}-{scheme}.png")
            # By keyboard alone: search, then a tile, its details, and back.
            browser.run("document.querySelector('.tile[tabindex=\"0\"]').focus()")
            for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
                browser.key(key)
            judge(browser.run("document.activeElement.classList.contains('tile')"), f"{where}: arrows leave the map")
            browser.key("Enter")
            # A tile may be a rest of small files: then it is entered.
            judge(browser.run("document.querySelector('.panel h3').textContent.length > 0"), f"{where}: no details")
            largest = "document.querySelector('.largest a, .chain a, .panel h3')"
            browser.run(f"{largest} && {largest}.click()")
            browser.picture(f"{folder}/{width}-{scheme}-details.png")
            browser.run("document.activeElement.blur()")
            browser.key("/", "/")
            judge(browser.run("document.activeElement.type === 'search'"), f"{where}: / does not search")
            for letter in "lib":
                browser.key(letter, letter)
            browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            judge(browser.run("document.querySelector('.found').textContent.length > 0"), f"{where}: the search finds nothing")
            browser.key("Enter", "\r")
            judge(browser.run("!document.querySelector('.list').hidden"), f"{where}: no list")
            browser.picture(f"{folder}/{width}-{scheme}-list.png")
            for trouble in browser.troubles():
                failed.append(f"{where}: {trouble}")
    browser.open(url, 1280, 900, "light", script=False)
    browser.picture(f"{folder}/no-script.png")
    rows = browser.run("document.querySelectorAll('#files tbody td').length")
    judge(rows > 0, "no table without scripts")
    judge(browser.run("document.getElementById('window').hidden"), "an empty map without scripts")
    for trouble in browser.troubles():
        # Chromium notes that it runs no script.
        if "script" not in trouble.lower():
            failed.append("no script: " + trouble)
    browser.process.kill()
    for says in failed:
        print("WRONG " + says)
    sys.exit(1 if failed else 0)


main()
