// Judges the layout of the map: areas are as the sizes, nothing overlaps or leaves the frame, and sides are alike.
const assert = require("node:assert");
const text = require("node:fs").readFileSync(process.argv[2], "utf8");
const { squarified, beside } = new Function(text + "\nreturn { squarified, beside };")();

// A generator of numbers that gives the same each time (Park, Miller: minimal standard).
let seed = 1;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
let count = 0;
for (let round = 0; round < 150; round++) {
  const n = 1 + Math.floor(random() * 200);
  const sizes = Array.from({ length: n }, () => Math.exp(random() * 12)).sort((a, b) => b - a);
  const [w, h] = [100 + random() * 1500, 50 + random() * 900];
  const boxes = squarified(sizes, 10, 20, w, h);
  const sum = sizes.reduce((a, b) => a + b);
  const box = (i) => boxes.subarray(i * 4, i * 4 + 4);
  for (let i = 0; i < n; i++) {
    const [x, y, bw, bh] = box(i);
    assert(Math.abs((bw * bh) / (w * h) - sizes[i] / sum) < 1e-9, "an area is wrong");
    assert(x > 10 - 1e-6 && y > 20 - 1e-6 && x + bw < 10 + w + 1e-6 && y + bh < 20 + h + 1e-6, "a box leaves the frame");
    for (let j = 0; j < i; j++) {
      const [a, b, c, d] = box(j);
      const across = Math.min(x + bw, a + c) - Math.max(x, a), down = Math.min(y + bh, b + d) - Math.max(y, b);
      assert(across < 1e-6 || down < 1e-6, "two boxes overlap");
    }
    count++;
  }
}
// Equal sizes in a square are squares.
for (let i = 0, boxes = squarified(Array(16).fill(1), 0, 0, 80, 80); i < 16; i++) assert(Math.abs(boxes[i * 4 + 2] - 20) < 1e-6 && Math.abs(boxes[i * 4 + 3] - 20) < 1e-6);
assert.strictEqual(squarified([], 0, 0, 10, 10).length, 0);
// Four tiles in a square: each has the one beside it as neighbour.
const at = (x, y) => ({ x, y, w: 10, h: 10 });
const tiles = [at(0, 0), at(10, 0), at(0, 10), at(10, 10)];
assert.strictEqual(beside(tiles, tiles[0], 1, 0), tiles[1]);
assert.strictEqual(beside(tiles, tiles[0], 0, 1), tiles[2]);
assert.strictEqual(beside(tiles, tiles[3], -1, 0), tiles[2]);
assert.strictEqual(beside(tiles, tiles[0], -1, 0), null);
console.log(count);
