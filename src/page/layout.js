"use strict";

// Rectangles whose areas are as the sizes and whose sides are nearly as long as each other (Bruls, Huizing, van Wijk:
// Squarified Treemaps). `sizes` are positive and fall. The answer has x, y, width, height of each, in a row.
function squarified(sizes, x, y, w, h) {
  const out = new Float64Array(sizes.length * 4);
  let left = 0;
  for (const size of sizes) left += size;
  let at = 0;
  while (at < sizes.length && left > 0) {
    const scale = (w * h) / left;
    const side = Math.min(w, h);
    const first = sizes[at] * scale;
    let end = at, sum = 0, worst = Infinity;
    while (end < sizes.length) {
      const area = sizes[end] * scale, next = sum + area;
      const ratio = Math.max((side * side * first) / (next * next), (next * next) / (side * side * area));
      if (ratio > worst) break;
      worst = ratio;
      sum = next;
      end++;
    }
    if (end === at) end = at + 1, sum = first;
    // The last row takes what is left, so that nothing is lost to rounding.
    const thick = end === sizes.length ? Math.max(w, h) : sum / side;
    let along = 0;
    for (let i = at; i < end; i++) {
      const length = sum > 0 ? (sizes[i] * scale * side) / sum : 0;
      out.set(w >= h ? [x, y + along, thick, length] : [x + along, y, length, thick], i * 4);
      along += length;
      left -= sizes[i];
    }
    if (w >= h) x += thick, w -= thick;
    else y += thick, h -= thick;
    at = end;
  }
  return out;
}

// The tile that lies next in a direction: near, and rather straight ahead than aside. `tiles` have x, y, w, h.
function beside(tiles, from, dx, dy) {
  const cx = from.x + from.w / 2, cy = from.y + from.h / 2;
  let best = null, least = Infinity;
  for (const tile of tiles) {
    if (tile === from) continue;
    const ox = tile.x + tile.w / 2 - cx, oy = tile.y + tile.h / 2 - cy;
    const ahead = ox * dx + oy * dy, aside = Math.abs(ox * dy) + Math.abs(oy * dx);
    if (ahead <= 0.5) continue;
    const distance = ahead + 2 * aside;
    if (distance < least) least = distance, best = tile;
  }
  return best;
}
