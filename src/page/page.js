"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const home = document.getElementById("window");
  const f = data.files, many = f.n.length;
  const path = (i) => (data.dirs[f.d[i]] === "/" ? "/" : data.dirs[f.d[i]] + "/") + f.n[i];
  const isFile = (i) => (f.k[i] === "f" || f.k[i] === "h" ? 1 : 0);
  const numbers = new Map();
  for (let i = 0; i < many; i++) numbers.set(path(i), i);
  const MAKES_NOTHING = "no reason found";
  const isCompared = !!f.z, hasReasons = !!f.g, hasBrought = !!f.t;
  const CHANGES = { a: "only after", r: "only before", c: "changed", s: "the same" };
  const KINDS = { f: "file", h: "hard link", l: "symlink", d: "directory", o: "device, socket or pipe" };

  // Small helpers. Text only ever becomes text: the page's policy forbids markup from strings.
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) element.append(child);
    return element;
  }
  function bytes(n) {
    const abs = Math.abs(n), sign = n < 0 ? "−" : "";
    for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]])
      if (abs >= unit) return sign + (Math.floor(abs / (unit / 10)) / 10).toFixed(1) + " " + name;
    return sign + abs + " B";
  }
  const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
  const plural = (n, word) => count(n) + " " + word + (n === 1 ? "" : "s");
  const percent = (part, whole) => (whole > 0 ? ((100 * part) / whole).toFixed(part / whole < 0.1 ? 1 : 0) + " %" : "");
  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : "'" + text.replace(/'/g, "'\\''") + "'");
  const link = (kind, value, text) => make("a", { href: "#" + kind + "=" + encodeURIComponent(value) }, make("bdi", {}, text || value));

  // What a size is: in a comparison there are three.
  const SIZES = isCompared
    ? { after: ["After", (i) => f.s[i]], before: ["Before", (i) => f.b[i]], change: ["Difference", (i) => (f.s[i] === f.b[i] && f.z[i] !== "s" ? 1 : Math.abs(f.s[i] - f.b[i]))] }
    : { after: ["Size", (i) => f.s[i]] };
  const state = { view: "", size: "after", shows: "map", at: null, file: -1, query: "", lit: -1, sort: "s", down: true };
  const sizeOf = (i) => SIZES[state.size][1](i);

  // Colours by what is best known: the change, the kind of reason, the package, the directory.
  const packageOf = (i) => (f.p[i] < 0 ? "no package" : data.packages[f.p[i]][0]);
  const groupOf = (i) => (f.g[i] < 0 ? MAKES_NOTHING : data.groups[f.g[i]]);
  const topOf = (i) => data.dirs[f.d[i]].split("/").slice(0, 3).join("/") || "/";
  const hasPackages = f.p.some((p) => p >= 0);
  const hueOf = isCompared ? (i) => CHANGES[f.z[i]] : hasReasons ? groupOf : hasPackages ? packageOf : topOf;
  const HUES = 9;
  const hues = new Map(), hueSums = new Map();
  for (let i = 0; i < many; i++) {
    const name = hueOf(i), sum = hueSums.get(name) || [0, 0];
    hueSums.set(name, [sum[0] + Math.max(f.s[i], isCompared ? f.b[i] : 0), sum[1] + 1]);
  }
  if (isCompared) for (const [letter, hue] of [["a", 0], ["r", 3], ["c", 2], ["s", HUES]]) hues.set(CHANGES[letter], hue);
  else [...hueSums].filter(([name]) => name !== MAKES_NOTHING).sort((a, b) => b[1][0] - a[1][0] || (a[0] < b[0] ? -1 : 1)).forEach(([name], rank) => hues.set(name, Math.min(rank, HUES)));
  const hueNumber = new Uint8Array(many);
  for (let i = 0; i < many; i++) hueNumber[i] = hues.has(hueOf(i)) ? hues.get(hueOf(i)) : HUES;

  // Views: each gives a file the names above it.
  const dirNames = (i) => data.dirs[f.d[i]].split("/").filter(Boolean);
  const VIEWS = {
    package: ["Package", (i) => [packageOf(i), ...dirNames(i)], hasPackages],
    directory: ["Directory", dirNames, true],
    reason: ["Reason", (i) => [groupOf(i), ...dirNames(i)], hasReasons],
    brought: ["Brought by", null, hasBrought],
    change: ["Change", (i) => [CHANGES[f.z[i]], ...dirNames(i)], isCompared],
    layer: ["Layer", (i) => ["layer " + f.l[i], ...dirNames(i)], !!f.l],
    absent: ["Left out", null, !!(data.absent && data.absent.rows.length)],
  };
  if (isCompared && f.s.some((size, i) => size !== f.b[i])) state.size = "change";
  state.view = isCompared ? "change" : hasPackages ? "package" : "directory";

  function node(name, above) {
    return { name, above, kids: new Map(), list: null, size: 0, files: 0, file: -1, row: null, hue: HUES };
  }
  function tree(view) {
    const top = node(view === "absent" ? "Left out" : "All", null);
    if (view === "absent") {
      data.absent.rows.forEach((row, at) => {
        const rule = data.absent.rules[row[2]];
        if (!top.kids.has(rule)) top.kids.set(rule, node(rule, top));
        const one = node(row[0], top.kids.get(rule));
        Object.assign(one, { size: row[4], files: row[3], row, hue: row[2] % HUES });
        one.above.kids.set(at, one);
      });
    } else if (view === "brought") {
      const own = new Array(many);
      for (let i = 0; i < many; i++) own[i] = Object.assign(node(f.n[i], null), { file: i, hue: hueNumber[i] });
      for (let i = 0; i < many; i++) {
        const keeper = f.h[i] >= 0 ? own[f.h[i]] : top;
        own[i].above = keeper;
        keeper.kids.set(i, own[i]);
      }
      for (let i = 0; i < many; i++) {
        if (!own[i].kids.size) Object.assign(own[i], { size: sizeOf(i), files: isFile(i) });
        else {
          const self = Object.assign(node(f.n[i], own[i]), { file: i, size: sizeOf(i), files: isFile(i), hue: hueNumber[i], isSelf: true });
          own[i].kids.set(-1, self);
        }
      }
    } else {
      const names = VIEWS[view][1];
      for (let i = 0; i < many; i++) {
        const size = sizeOf(i);
        if (f.k[i] === "d" || (size === 0 && state.size === "change") || (size === 0 && f.k[i] !== "l" && f.k[i] !== "f" && f.k[i] !== "h")) continue;
        let at = top;
        for (const name of names(i)) {
          let kid = at.kids.get(name);
          if (!kid) at.kids.set(name, (kid = node(name, at)));
          at = kid;
        }
        at.kids.set("\0" + i, Object.assign(node(f.n[i], at), { file: i, size, files: isFile(i), hue: hueNumber[i] }));
      }
    }
    add(top);
    return top;
  }
  // Sums, order, and directories with a single directory inside become one.
  function add(one) {
    if (!one.kids.size) return;
    if (one.above && one.file < 0) {
      while (one.kids.size === 1) {
        const [only] = one.kids.values();
        if (only.file >= 0 || only.row || !one.above.above) break;
        one.name += "/" + only.name;
        one.kids = only.kids;
      }
    }
    one.list = [...one.kids.values()];
    const parts = new Map();
    for (const kid of one.list) {
      kid.above = one;
      add(kid);
      one.size += kid.size;
      one.files += kid.files;
      parts.set(kid.hue, (parts.get(kid.hue) || 0) + kid.size);
    }
    one.list.sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
    let most = -1;
    for (const [hue, part] of parts) if (part > most) (most = part), (one.hue = hue);
  }
  const trees = new Map();
  function top() {
    const key = state.view + " " + state.size;
    if (!trees.has(key)) trees.set(key, tree(state.view));
    return trees.get(key);
  }

  // Search: every word must be somewhere in the path, the package or the reason.
  let hits = null, texts = null;
  function search() {
    const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length && state.lit < 0) return (hits = null);
    if (!texts) {
      texts = new Array(many);
      for (let i = 0; i < many; i++) texts[i] = (path(i) + " " + (f.p[i] < 0 ? "" : packageOf(i)) + " " + ((f.y && f.y[i]) || "") + (hasReasons && f.r[i] >= 0 ? " " + data.reasons[f.r[i]][0] : "")).toLowerCase();
    }
    hits = new Uint8Array(many);
    for (let i = 0; i < many; i++) hits[i] = (state.lit < 0 || hueNumber[i] === state.lit) && words.every((word) => texts[i].includes(word)) ? 1 : 0;
  }
  function isHit(one) {
    if (!hits) return true;
    if (one.file >= 0 && !one.list) return !!hits[one.file];
    if (one.row) return state.lit < 0 && state.query.toLowerCase().split(/\s+/).every((word) => one.name.toLowerCase().includes(word));
    return (one.list || []).some(isHit);
  }

  // The frame of the window.
  const map = make("div", { class: "map", role: "group", "aria-label": "Map of bytes" });
  const list = make("div", { class: "list", hidden: true });
  const panel = make("aside", { class: "panel", "aria-live": "polite", "aria-label": "Details" });
  const crumbs = make("nav", { class: "crumbs", "aria-label": "Place in the map" });
  const legend = make("div", { class: "legend", role: "group", "aria-label": "Colours" });
  const found = make("span", { class: "found", role: "status" });
  const field = make("input", { type: "search", placeholder: "Search files, packages, reasons", "aria-label": "Search", spellcheck: "false", autocomplete: "off" });
  const tip = make("div", { class: "tip", hidden: true, role: "presentation" });
  function choice(label, options, key, changed) {
    const group = make("div", { class: "choice", role: "radiogroup", "aria-label": label });
    for (const [value, name] of options) {
      const input = make("input", { type: "radio", name: "choice-" + key, value, id: "choice-" + key + "-" + value });
      input.checked = state[key] === value;
      input.addEventListener("change", () => { state[key] = value; changed(); });
      group.append(input, make("label", { for: input.id }, name));
    }
    return group;
  }
  const views = Object.entries(VIEWS).filter(([, view]) => view[2]).map(([value, view]) => [value, view[0]]);
  const themes = ["auto", "light", "dark"];
  const theme = make("button", { type: "button", class: "theme", title: "Light or dark", onclick: () => setTheme(themes[(themes.indexOf(theme.dataset.theme) + 1) % 3]) });
  function setTheme(name) {
    theme.dataset.theme = name;
    theme.textContent = { auto: "◐ auto", light: "○ light", dark: "● dark" }[name];
    if (name === "auto") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", name);
  }
  setTheme("auto");
  home.append(
    make("div", { class: "tools" },
      choice("Order of the map", views, "view", () => { state.at = null; show(); about(state.at); }),
      isCompared && choice("Size", Object.entries(SIZES).map(([value, size]) => [value, size[0]]), "size", () => { state.at = null; show(); about(state.at); }),
      choice("Form", [["map", "Map"], ["list", "List"]], "shows", show),
      make("div", { class: "search" }, field, make("kbd", { "aria-hidden": "true" }, "/")), theme),
    make("div", { class: "under" }, crumbs, found),
    make("div", { class: "split" }, make("div", { class: "stage" }, map, list, legend), panel), tip);
  home.hidden = false;

  // The map: headings for groups with room for one, tiles for the rest, one tile for all that is too small.
  const HEAD = 19, GAP = 1, LEAST = 14;
  let tiles = [];
  function draw() {
    const w = map.clientWidth, h = map.clientHeight, at = state.at;
    tiles = [];
    if (at.size > 0) place(at, at.list || [at], 0, 0, w, h, 0);
    const part = document.createDocumentFragment();
    for (const tile of tiles) part.append(tile.element);
    map.replaceChildren(part);
    if (!(at.size > 0)) map.append(make("p", { class: "empty" }, state.size === "change" ? "No file differs in size." : "Nothing here has bytes."));
    const chosen = tiles.find((tile) => tile.one.file === state.file && !tile.one.list) || tiles[0];
    if (chosen) chosen.element.tabIndex = 0;
  }
  // A group of which one group inside is nearly all: both share a heading, and all that is in them lies side by side.
  function folded(one) {
    let name = one.name, list = one.list, inner = one;
    const isPlace = one.above === top() && state.view !== "directory";
    let mark = isPlace ? " › " : "/";
    while (state.view !== "brought" && state.view !== "absent") {
      const most = inner.list[0];
      if (!most.list || most.size < 0.9 * inner.size) break;
      name += mark + most.name;
      mark = "/";
      list = list.filter((kid) => kid !== most).concat(most.list);
      inner = most;
    }
    return [name, list.sort((a, b) => b.size - a.size), inner];
  }
  function place(one, list, x, y, w, h, depth) {
    const sizes = [], shown = [];
    for (const kid of list) if (kid.size > 0) sizes.push(kid.size), shown.push(kid);
    if (!shown.length) return;
    let total = 0;
    for (const size of sizes) total += size;
    // What would be smaller than a few points becomes one tile.
    let cut = shown.length;
    const least = (LEAST * total) / Math.max(1, w * h);
    while (cut > 1 && sizes[cut - 1] < least) cut--;
    let rest = 0, restFiles = 0;
    for (let i = cut; i < shown.length; i++) (rest += sizes[i]), (restFiles += shown[i].files);
    const tail = shown.slice(cut);
    const kept = shown.slice(0, cut), keptSizes = sizes.slice(0, cut);
    if (rest > 0) {
      const place = keptSizes.findIndex((size) => size < rest);
      const more = { name: plural(restFiles, "small file"), size: rest, files: restFiles, file: -1, list: null, tail, above: one, hue: tail[0].hue, isRest: true };
      kept.splice(place < 0 ? cut : place, 0, more);
      keptSizes.splice(place < 0 ? cut : place, 0, rest);
    }
    const boxes = squarified(keptSizes, x, y, w, h);
    kept.forEach((kid, k) => {
      const [bx, by, bw, bh] = boxes.subarray(k * 4, k * 4 + 4);
      if (bw < 2 || bh < 2) return;
      const isGroup = kid.list && bw > 46 && bh > 40 && depth < 12;
      const [name, list, inner] = isGroup ? folded(kid) : [kid.name];
      tiles.push(tile(isGroup ? inner : kid, name, kid.size, bx, by, bw - GAP, bh - GAP, isGroup, depth));
      if (isGroup) place(inner, list, bx + 2, by + HEAD, bw - 4 - GAP, bh - HEAD - 2 - GAP, depth + 1);
    });
  }
  function tile(one, name, size, x, y, w, h, isGroup, depth) {
    const isLit = one.isRest ? one.tail.some(isHit) : isHit(one);
    const element = make("div", { class: "tile" + (isGroup ? " group" : "") + (one.isRest ? " rest" : "") + (isLit ? "" : " dim") + (one.file >= 0 && one.file === state.file && !one.list ? " chosen" : ""), role: "button", tabindex: "-1", "data-hue": one.hue });
    element.setAttribute("aria-label", name + ", " + bytes(size) + (one.files > 1 ? ", " + plural(one.files, "file") : ""));
    const style = element.style;
    style.left = x + "px"; style.top = y + "px"; style.width = Math.max(1, w) + "px"; style.height = Math.max(1, h) + "px";
    if (isGroup) {
      element.append(make("span", { class: "head" }, make("bdi", {}, name), w > 120 && make("i", {}, bytes(size))));
      if (depth % 2) element.classList.add("odd");
    } else if (w > 42 && h > 17) {
      element.append(make("bdi", {}, name));
      if (h > 34 && w > 54) element.append(make("i", {}, bytes(size)));
    }
    const made = { one, x, y, w, h, element, isGroup };
    element.made = made;
    return made;
  }
  function open(one) {
    if (one.isRest) one = one.above;
    if (one.list && one !== state.at) state.at = one;
    else if (one.file >= 0) return choose(one.file);
    else if (one.row) return absent(one);
    show();
    about(state.at);
  }
  function up() {
    if (state.at && state.at.above) { const from = state.at; state.at = from.above; show(); about(state.at); focus(tiles.find((tile) => tile.one === from)); }
  }
  function focus(tile) {
    if (!tile) return;
    for (const other of tiles) other.element.tabIndex = -1;
    tile.element.tabIndex = 0;
    tile.element.focus({ preventScroll: true });
  }
  map.addEventListener("click", (event) => {
    const element = event.target.closest(".tile");
    if (!element) return;
    focus(element.made);
    const one = element.made.one;
    if (one.file >= 0 && (!one.list || !element.made.isGroup)) choose(one.file);
    else open(one);
  });
  map.addEventListener("keydown", (event) => {
    const element = event.target.closest(".tile");
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!element) return;
    if (ways[event.key]) {
      const leaves = tiles.filter((tile) => !tile.isGroup);
      focus(beside(leaves, element.made, ...ways[event.key]));
    } else if (event.key === "Enter" || event.key === " ") {
      const one = element.made.one;
      if (one.file >= 0) choose(one.file);
      else open(one);
    } else if (event.key === "+") {
      let one = element.made.one;
      while (one.above && one.above !== state.at) one = one.above;
      if (one.list) open(one);
      focus(tiles[0]);
    } else if (event.key === "-") up();
    else return;
    event.preventDefault();
  });
  map.addEventListener("pointermove", (event) => {
    const element = event.pointerType === "touch" ? null : event.target.closest(".tile");
    if (!element) return void (tip.hidden = true);
    const one = element.made.one;
    const text = one.file >= 0 ? path(one.file) : one.name;
    tip.replaceChildren(make("b", {}, make("bdi", {}, text)), make("span", {}, bytes(one.size) + " · " + percent(one.size, top().size) + (one.files > 1 ? " · " + plural(one.files, "file") : "")));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18) + "px";
  });
  map.addEventListener("pointerleave", () => (tip.hidden = true));

  // The list draws only what can be seen.
  const ROW = 30;
  const rows = make("div", { class: "rows", tabindex: "0", role: "listbox", "aria-label": "Files" }), filler = make("div", { class: "filler" });
  rows.append(filler);
  let order = [];
  const SORTS = [["n", "Path", (i) => path(i)], ["p", "Package", packageOf], ["t", "Brings", (i) => f.t[i]], ["s", "Size", sizeOf]].filter(([key]) => (key !== "t" || hasBrought) && (key !== "p" || hasPackages));
  const heads = make("div", { class: "row heads" });
  list.append(heads, rows);
  rows.addEventListener("scroll", fill);
  rows.addEventListener("click", (event) => { const row = event.target.closest(".row"); if (row) choose(Number(row.dataset.file)); });
  rows.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15 }[event.key];
    if (!step) return;
    const at = order.indexOf(state.file), next = Math.max(0, Math.min(order.length - 1, at + step));
    choose(order[next]);
    rows.scrollTop = Math.max(0, Math.min(rows.scrollTop, next * ROW), (next + 1) * ROW - rows.clientHeight);
    event.preventDefault();
  });
  function listed() {
    const inside = new Set();
    (function walk(one) { if (one.file >= 0) inside.add(one.file); if (one.list) one.list.forEach(walk); })(state.at);
    order = [];
    for (let i = 0; i < many; i++) if (f.k[i] !== "d" && (state.view === "absent" || inside.has(i)) && (!hits || hits[i])) order.push(i);
    const key = SORTS.find(([key]) => key === state.sort)[2], sign = state.down ? -1 : 1;
    const keys = new Map(order.map((i) => [i, key(i)]));
    order.sort((a, b) => { const x = keys.get(a), y = keys.get(b); return x === y ? a - b : x < y ? -sign : sign; });
    heads.replaceChildren(...SORTS.map(([key, name]) => make("button", { type: "button", class: "cell " + key, "aria-pressed": String(state.sort === key), onclick: () => { state.down = state.sort === key ? !state.down : key === "s" || key === "t"; state.sort = key; listed(); } }, name, state.sort === key ? (state.down ? " ↓" : " ↑") : "")));
    filler.style.height = order.length * ROW + "px";
    rows.scrollTop = 0;
    fill();
  }
  function fill() {
    const first = Math.max(0, Math.floor(rows.scrollTop / ROW) - 4), last = Math.min(order.length, first + Math.ceil(rows.clientHeight / ROW) + 8);
    const part = [];
    for (let k = first; k < last; k++) {
      const i = order[k];
      const row = make("div", { class: "row" + (i === state.file ? " chosen" : ""), role: "option", "aria-selected": String(i === state.file), "data-file": i, "data-hue": hueNumber[i] },
        ...SORTS.map(([key, , value]) => make("span", { class: "cell " + key }, key === "s" || key === "t" ? bytes(value(i)) : make("bdi", {}, value(i)))));
      row.style.top = k * ROW + "px";
      part.push(row);
    }
    filler.replaceChildren(...part);
  }

  // Details.
  const term = (name, ...value) => [make("dt", {}, name), make("dd", {}, ...value)];
  const copyable = (text) => make("code", { class: "copy" }, text);
  function choose(i) {
    state.file = i;
    history.replaceState(null, "", "#file=" + encodeURIComponent(path(i)));
    for (const tile of tiles) tile.element.classList.toggle("chosen", tile.one.file === i && !tile.one.list);
    if (state.shows === "list") fill();
    const [mode, owner] = data.modes[f.m[i]].split(" ");
    const facts = make("dl", { class: "facts" },
      term("Size", isCompared ? bytes(f.b[i]) + " → " + bytes(f.s[i]) : bytes(f.s[i]), isFile(i) && !isCompared && make("span", { class: "quiet" }, " " + percent(f.s[i], whole) + " of the image")),
      isCompared && term("Change", CHANGES[f.z[i]]),
      term("Kind", KINDS[f.k[i]], f.x && f.x[i] ? [" to ", make("code", {}, make("bdi", {}, f.x[i]))] : null),
      f.y && f.y[i] && term("Library", make("code", {}, f.y[i])),
      hasPackages && term("Package", f.p[i] < 0 ? "none" : [link("package", data.packages[f.p[i]][0]), make("span", { class: "quiet" }, " " + data.packages[f.p[i]][1])]),
      f.l && term("Layer", String(f.l[i])),
      term("Mode", make("code", {}, mode), make("span", { class: "quiet" }, " owner " + owner)));
    panel.replaceChildren(make("h3", {}, make("bdi", { class: "path" }, path(i))), facts, ...why(i));
    if (panel.getBoundingClientRect().top > innerHeight - 80) panel.scrollIntoView({ block: "nearest" });
  }
  function why(i) {
    if (!hasReasons) return [];
    if (f.r[i] < 0) return [make("h4", {}, "Why it is here"), make("p", { class: "quiet" }, data.kind === "checked image" ? "No chain of reasons leads from the entry to it. Whether it can go is for you to decide: what a program reads by a name that it computes is not seen." : "It is made or copied by slimroot.")];
    const chain = [];
    for (let at = i, steps = 0; at >= 0 && steps < 200; at = f.u[at], steps++) chain.unshift(at);
    const steps = make("ol", { class: "chain" }, chain.map((at) =>
      make("li", { class: at === i ? "last" : "" }, at === i ? make("b", {}, make("bdi", {}, f.n[at])) : link("file", path(at)), f.r[at] >= 0 && make("p", {}, data.reasons[f.r[at]][0], " ", make("span", { class: "rule" }, data.reasons[f.r[at]][1])))));
    const reason = data.reasons[f.r[i]];
    const parts = [make("h4", {}, "Why it is here"), steps, make("h4", {}, "Why not smaller"), make("p", {}, reason[2])];
    if (reason[3]) parts.push(make("p", {}, "Only this one: ", copyable("--exclude " + quoted(path(i)))));
    if (hasBrought) {
      const others = f.tn[i] - isFile(i);
      parts.push(make("p", {}, others > 0 ? ["It brings ", make("b", {}, plural(others, "other file")), " that nothing else asks for. Without it the image has ", make("b", {}, bytes(f.t[i])), " less."] : f.t[i] > 0 ? "Nothing else comes only with it." : ""));
      if (f.h[i] >= 0) parts.push(make("p", {}, "Without ", link("file", path(f.h[i]), f.n[f.h[i]]), " nothing would ask for it."));
      if (f.c[i] > 1) parts.push(make("p", { class: "quiet" }, plural(f.c[i], "file") + " ask for it directly."));
    }
    return parts;
  }
  function about(one) {
    const largest = [];
    (function walk(at) { if (at.list) at.list.forEach(walk); else if (at.size > 0) largest.push(at); })(one);
    largest.sort((a, b) => b.size - a.size);
    const known = data.packages.find(([id]) => state.view === "package" && one.above === top() && id === one.name);
    panel.replaceChildren(...[
      make("h3", {}, make("bdi", { class: "path" }, one.above ? one.name : state.view === "absent" ? "What was left out" : state.size === "change" ? "What differs" : "The whole image")),
      make("dl", { class: "facts" }, term("Size", bytes(one.size), make("span", { class: "quiet" }, " " + percent(one.size, top().size))), term("Files", count(one.files)), known && term("Version", known[1])),
      make("h4", {}, state.view === "absent" ? "Largest parts" : "Largest files"),
      make("ul", { class: "largest" }, largest.slice(0, 12).map((at) => at.file >= 0 ? rowOf(at.file) : make("li", {}, make("button", { type: "button", class: "plain", onclick: () => absent(at) }, make("bdi", {}, at.name)), make("i", {}, bytes(at.size))))),
      !one.above && make("p", { class: "keys quiet" }, make("kbd", {}, "/"), " search ", make("kbd", {}, "← ↑ → ↓"), " move ", make("kbd", {}, "Enter"), " details ", make("kbd", {}, "+"), " in ", make("kbd", {}, "−"), " out")].filter(Boolean));
  }
  const rowOf = (i) => make("li", {}, link("file", path(i), f.n[i]), make("i", {}, bytes(sizeOf(i))));
  function matches() {
    if (!hits) return about(state.at);
    const all = [];
    for (let i = 0; i < many; i++) if (hits[i]) all.push(i);
    all.sort((a, b) => sizeOf(b) - sizeOf(a) || a - b);
    panel.replaceChildren(make("h3", {}, all.length ? "What matches" : "Nothing matches"), make("ul", { class: "largest" }, all.slice(0, 24).map(rowOf)), all.length > 24 ? make("p", { class: "quiet" }, "… " + count(all.length - 24) + " more: Enter lists all.") : "");
  }
  function absent(one) {
    panel.replaceChildren(make("h3", {}, make("bdi", { class: "path" }, one.name)),
      make("dl", { class: "facts" }, term("Size", bytes(one.size)), term("Files", count(one.files)), term("Kind", one.row[1] ? "package" : "directory")),
      make("h4", {}, "Why it is not here"), make("p", {}, data.absent.rules[one.row[2]] + "."),
      make("h4", {}, "What adds it"), make("p", {}, one.row[5] ? copyable(one.row[5]) : "Its name cannot be pasted safely."));
  }
  let whole = 0;
  for (let i = 0; i < many; i++) whole += f.s[i];

  function show() {
    if (!state.at) state.at = top();
    search();
    const line = [];
    for (let at = state.at; at; at = at.above) line.unshift(at);
    crumbs.replaceChildren(...line.map((at) => at === state.at ? make("b", { "aria-current": "location" }, make("bdi", {}, at.name), make("i", {}, bytes(at.size))) : make("button", { type: "button", class: "plain", onclick: () => { state.at = at; show(); about(at); } }, make("bdi", {}, at.name))));
    map.hidden = state.shows !== "map";
    list.hidden = state.shows !== "list";
    if (hits) {
      let n = 0, sum = 0;
      for (let i = 0; i < many; i++) if (hits[i]) n++, (sum += sizeOf(i));
      found.textContent = n ? plural(n, "match").replace("matchs", "matches") + ", " + bytes(sum) : "nothing matches";
    } else found.textContent = "";
    if (state.shows === "map") draw(); else listed();
    for (const [view, input] of views.map(([view]) => [view, document.getElementById("choice-view-" + view)])) input.checked = view === state.view;
    legend.hidden = state.view === "absent";
  }
  const legendRows = [];
  for (const [name, hue] of hues) if (hue < HUES || isCompared) legendRows.push([name, hue, hueSums.get(name) ? hueSums.get(name)[0] : 0]);
  const others = [...hues].filter(([, hue]) => hue === HUES).length;
  if (!isCompared && (others || hueSums.has(MAKES_NOTHING))) legendRows.push([others ? plural(others, "other") : MAKES_NOTHING, HUES, [...hueSums].filter(([name]) => !hues.has(name) || hues.get(name) === HUES).reduce((sum, [, [n]]) => sum + n, 0)]);
  legend.append(...legendRows.filter(([, , sum]) => sum > 0 || isCompared).map(([name, hue, sum]) => {
    const button = make("button", { type: "button", "aria-pressed": "false", "data-hue": hue, onclick: () => {
      state.lit = state.lit === hue ? -1 : hue;
      for (const other of legend.children) other.setAttribute("aria-pressed", String(state.lit >= 0 && other === button));
      show();
      matches();
    } }, make("bdi", {}, name), make("i", {}, bytes(sum)));
    return button;
  }));

  let waiting = 0;
  field.addEventListener("input", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(() => { state.query = field.value; show(); matches(); }); });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { field.value = state.query = ""; field.blur(); show(); about(state.at); event.stopPropagation(); }
    if (event.key === "Enter") { state.shows = "list"; document.getElementById("choice-shows-list").checked = true; show(); rows.focus(); }
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target === field;
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) { field.focus(); field.select(); event.preventDefault(); }
    if (event.key === "Escape" && !isTyping) up();
  });
  function go() {
    const [, kind, value] = /^#(file|package)=(.*)$/.exec(location.hash) || [];
    if (!kind) return false;
    let text;
    try { text = decodeURIComponent(value); } catch { return false; }
    if (kind === "file" && numbers.has(text)) { choose(numbers.get(text)); return true; }
    if (kind === "package" && VIEWS.package[2]) {
      Object.assign(state, { view: "package", shows: "map", at: null });
      document.getElementById("choice-shows-map").checked = true;
      const one = top().list.find((kid) => kid.name === text);
      if (!one) return false;
      state.at = one;
      show();
      about(one);
      home.scrollIntoView({ block: "start" });
      return true;
    }
    return false;
  }
  addEventListener("hashchange", go);
  let width = 0;
  new ResizeObserver(() => { if (map.clientWidth !== width && !map.hidden) { width = map.clientWidth; draw(); } }).observe(map);
  document.addEventListener("click", (event) => {
    const code = event.target.closest("code.copy");
    if (!code || !navigator.clipboard) return;
    navigator.clipboard.writeText(code.textContent).then(() => { code.classList.add("copied"); setTimeout(() => code.classList.remove("copied"), 900); }, () => {});
  });
  show();
  width = map.clientWidth;
  about(state.at);
  go();
  document.documentElement.dataset.ready = Math.round(performance.now());
})();
