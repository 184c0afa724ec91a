"use strict";
/* Search, neighbours, a history with its recommendations, and a map. Every request goes to this very server. */

const state = { chosen: null, history: [], places: [], cursor: -1, asked: 0, looked: 0, numRanked: 0 };
const K = 12;

function report(error) {
  byId("trouble").hidden = !error;
  byId("trouble").textContent = error ? `The server says: ${error.message}` : "";
}

const attempt = (work) => async (...values) => {
  try { await work(...values); report(null); } catch (error) { report(error); }
};

const nameOf = (item) => item.title || String(item.item);

function itemRow(item, score) {
  const row = document.createElement("li");
  const open = element("button", nameOf(item), { class: "open", type: "button", title: `id ${item.item}` });
  open.addEventListener("click", () => choose(item));
  const add = element("button", "+", { class: "add", type: "button", "aria-label": `Add ${nameOf(item)} to the history` });
  add.addEventListener("click", () => click(item));
  row.append(open, element("span", score === undefined ? "" : Number.isInteger(score) ? String(score) : score.toFixed(3), { class: "score" }), add);
  if (item.because && item.because.length) {
    row.append(element("small", `because of ${item.because.map(nameOf).join(" and ")}`));
  }
  return row;
}

function show(id, items, empty, scored = true) {
  const rows = items.map((item) => itemRow(item, scored ? item.score : undefined));
  byId(id).replaceChildren(...(rows.length ? rows : [element("li", empty, { class: "hint" })]));
}

const search = attempt(async (text) => {
  if (!text.trim()) return;
  const found = await ask(`/v1/items?q=${encodeURIComponent(text)}`);
  if (byId("query").value === text) show("found", found.items, "No id or title is like that.", false);
});

const choose = attempt(async (item) => {
  const looked = ++state.looked;
  const found = await ask(`/v1/items/${encodeURIComponent(item.item)}/similar?k=${K}&titles=true`);
  if (looked !== state.looked) return; // another choice was quicker
  state.chosen = item;
  byId("near-title").textContent = `Nearest to ${nameOf(item)}`;
  show("near", found.neighbours, "Nothing is near.");
  draw();
});

function click(item) {
  state.history.push(item);
  recommend();
}

const recommend = attempt(async () => {
  showHistory();
  const asked = ++state.asked;
  const rerank = state.numRanked > 0 && byId("rerank").checked, k = rerank ? Math.min(K, state.numRanked) : K;
  const body = { history: state.history.map((item) => item.item), k, titles: true, because: true, rerank };
  const found = await ask("/v1/recommendations", body);
  if (asked !== state.asked) return; // another click was quicker
  const sources = { popular: "Nothing of the history is known: these are the most clicked items.", ranker: "Retrieved, then re-ranked.", retriever: "By the retriever." };
  byId("source").textContent = state.history.length ? sources[found.source] : "No history yet: the most clicked items.";
  show("recommended", found.recommendations, "Nothing is left to recommend.");
  draw();
});

function showHistory() {
  const chips = state.history.map((item, place) => {
    const chip = document.createElement("li");
    const remove = element("button", `${nameOf(item)} \u00d7`, { type: "button", "aria-label": `Remove ${nameOf(item)}` });
    remove.addEventListener("click", () => { state.history.splice(place, 1); recommend(); });
    chip.append(remove);
    return chip;
  });
  byId("history").replaceChildren(...chips);
  byId("history-hint").hidden = state.history.length > 0;
  byId("clear").hidden = state.history.length === 0;
}

/* The map: places in [-1, 1] on a canvas as sharp as the screen. */
function geometry() {
  const canvas = byId("map"), scale = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  canvas.width = box.width * scale;
  canvas.height = box.height * scale;
  const at = (place) => [(0.5 + 0.47 * place.x) * box.width, (0.5 - 0.47 * place.y) * box.height];
  return { canvas, scale, box, at };
}

function draw() {
  const { canvas, scale, box, at } = geometry(), paint = canvas.getContext("2d"), style = getComputedStyle(document.body);
  const colour = (name) => style.getPropertyValue(name).trim();
  const clicked = new Set(state.history.map((item) => item.item)), chosen = state.chosen && state.chosen.item;
  paint.scale(scale, scale);
  paint.clearRect(0, 0, box.width, box.height);
  for (const [number, place] of state.places.entries()) {
    const isMarked = clicked.has(place.item) || place.item === chosen || number === state.cursor;
    const [x, y] = at(place);
    paint.globalAlpha = isMarked ? 1 : 0.45;
    paint.fillStyle = colour(isMarked ? "--mark" : "--accent");
    paint.beginPath();
    paint.arc(x, y, isMarked ? 6 : 3, 0, 2 * Math.PI);
    paint.fill();
    if (isMarked) label(paint, nameOf(place), x, y, box.width, colour("--ink"));
  }
}

function label(paint, text, x, y, width, ink) {
  paint.font = "13px system-ui, sans-serif";
  paint.fillStyle = ink;
  paint.textAlign = x > 0.7 * width ? "right" : "left";
  paint.fillText(text, x + (x > 0.7 * width ? -9 : 9), y + 4);
}

function nearest(event) {
  const { box, at } = geometry(), [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const far = state.places.map((place) => { const [px, py] = at(place); return Math.hypot(px - x, py - y); });
  const best = far.indexOf(Math.min(...far));
  return far[best] < 16 ? best : -1;
}

function steer(event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  if (event.key === "Enter" && state.cursor >= 0) choose(state.places[state.cursor]);
  if (!step || !state.places.length) return;
  event.preventDefault();
  const from = state.places[Math.max(state.cursor, 0)];
  const cost = state.places.map((place) => {
    const [dx, dy] = [place.x - from.x, place.y - from.y], along = dx * step[0] + dy * step[1];
    return along > 1e-6 ? along + 3 * Math.abs(dx * step[1] + dy * step[0]) : Infinity;
  });
  const best = cost.indexOf(Math.min(...cost));
  if (cost[best] < Infinity) state.cursor = best;
  draw();
}

const start = attempt(async () => {
  const [facts, map] = await Promise.all([ask("/v1/bundle"), ask("/v1/map")]);
  state.places = map.places;
  state.numRanked = facts.num_ranked;
  byId("stage").hidden = !facts.has_ranker;
  const told = { ...facts, metrics: Object.entries(facts.metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`).join(", ") };
  byId("facts").replaceChildren(...Object.entries(told).flatMap(([name, value]) => [element("dt", name.replaceAll("_", " ")), element("dd", String(value))]));
  await recommend();
});

let waiting = 0;
byId("query").addEventListener("input", (event) => { clearTimeout(waiting); waiting = setTimeout(search, 120, event.target.value); });
byId("search").addEventListener("submit", (event) => { event.preventDefault(); search(byId("query").value); });
byId("clear").addEventListener("click", () => { state.history = []; recommend(); });
byId("rerank").addEventListener("change", recommend);
byId("map").addEventListener("mousemove", (event) => { state.cursor = nearest(event); draw(); });
byId("map").addEventListener("click", (event) => { const place = nearest(event); if (place >= 0) choose(state.places[place]); });
byId("map").addEventListener("keydown", steer);
window.addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
start();
