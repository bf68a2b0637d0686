// Shows live.json again and again. What clients chose goes in as text only.

const $ = (id) => document.getElementById(id);
const interval = 1000; // ms between two answers
const patience = 5000; // ms for one
const samples = 90; // points of a curve

/** Makes an element: el("td", { class: "x", text: "hello" }, child, …). */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") element.textContent = value;
    else if (value != null && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Text of clients, with what would not be seen, or would turn its neighbours round, as escapes. */
function plain(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`) || "(no name)";
}

/** Such text in an element that keeps the direction of its letters to itself. */
const foreign = (text) => el("bdi", { text: plain(text) });

const numbers = new Intl.NumberFormat("en");

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) [n, i] = [n / 1024, i + 1];
  return [i === 0 ? String(n) : n.toFixed(1), units[i]];
}

function span(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days ${Math.floor((s % 86400) / 3600)} h`;
}

// --- figures

const curves = new Map(); // name → its last values
const counters = new Map(); // name → the counter's last value and time

/** How much a counter grew per second since the last answer. */
function rate(name, value, at) {
  const last = counters.get(name);
  counters.set(name, { value, at });
  return last && at > last.at && value >= last.value ? (value - last.value) / (at - last.at) : 0;
}

function curve(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${samples - 1} 20`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const top = Math.max(...values, 1e-9);
  const low = Math.min(...values, 0);
  const points = values.map((v, i) => `${samples - values.length + i},${(19 - ((v - low) / (top - low)) * 17).toFixed(2)}`);
  for (const [shape, list] of [
    ["polygon", [`${samples - values.length},20`, ...points, `${samples - 1},20`]],
    ["polyline", points],
  ]) {
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", shape);
    drawn.setAttribute("points", list.join(" "));
    svg.append(drawn);
  }
  return svg;
}

function tile(name, value, { unit = "", of = null, tone = null, shown = null } = {}) {
  const values = curves.get(name) ?? [];
  values.push(value);
  if (values.length > samples) values.shift();
  curves.set(name, values);
  const text = shown ?? (Number.isInteger(value) ? numbers.format(value) : value.toFixed(1));
  const rest = [of == null ? "" : ` of ${numbers.format(of)}`, unit ? ` ${unit}` : ""].join("");
  return el("dl", { class: "tile", "data-tone": tone }, el("dt", { text: name }), el("dd", { text }, rest ? el("small", { text: rest }) : null), curve(values));
}

function memory(process) {
  const [shown, unit] = bytes(process.memory);
  return tile("Heap in use", process.memory, { shown, unit });
}

function gatewayTiles(g) {
  return [
    tile("Clients", g.clients),
    g.keptBytes || g.detached ? tile("Away", g.detached) : null,
    tile("Rooms followed", g.rooms),
    tile("Commands open", g.requests, { tone: g.requests > 1000 ? "warn" : null }),
    tile("Signals held", g.held, { tone: g.held > 1000 ? "warn" : null }),
    tile("Signals in flight", g.unacked, { tone: g.unacked > 10000 ? "warn" : null }),
  ];
}

function instanceTiles(i, at) {
  const owned = i.partitions.length;
  return [
    tile("Rooms", i.rooms),
    tile("Members", i.members),
    tile("Partitions active", i.active, { of: owned, tone: i.active < owned ? "warn" : null }),
    tile("Commands", rate("commands", i.commands, at), { unit: "/s" }),
    tile("Events", rate("events", i.events, at), { unit: "/s" }),
    tile("Gateways lost", i.evictions),
  ];
}

// --- who it is

function title(page) {
  const process = page.gateway ?? page.instance;
  const what = page.gateway && page.instance ? "gateway and rooms" : page.gateway ? "gateway" : "rooms instance";
  $("title").replaceChildren(`${what} `, el("span", { class: "id", text: process.id }));
  document.title = `${what} on ${process.host}`;
  const facts = [`on ${process.host}`, `version ${process.version}`, `up ${span(process.uptime)}`, `process ${process.pid}`];
  if (page.gateway) facts.push(`clients at ${page.gateway.listen}`);
  facts.push(process.nats ? `NATS ${/:/.test(process.nats) ? "at " : ""}${process.nats}` : "without NATS", `${numbers.format(process.goroutines)} goroutines`);
  $("subtitle").textContent = facts.join(" · ");
}

// --- partitions

function partitions(instance) {
  $("partitions").hidden = !instance;
  if (!instance) return;
  const own = new Map(instance.partitions.map((p) => [p.partition, p]));
  const owners = new Map();
  const cells = instance.owners.map((owner, n) => {
    const p = own.get(n);
    const state = p ? p.state : owner ? "other" : "nobody";
    owners.set(owner, (owners.get(owner) ?? 0) + 1);
    const said = p ? `${p.state}, epoch ${p.epoch}, ${p.rooms} rooms, ${p.members} members` : owner ? `owned by ${owner}` : "nobody owns it";
    return el("li", { "data-state": state, "data-rooms": p?.rooms, title: `Partition ${n}: ${said}`, text: n });
  });
  $("grid").replaceChildren(...cells);
  const entry = (state, text, id) => el("li", {}, el("i", { "data-state": state }), text, id ? el("span", { class: "id", text: id }) : null);
  const legend = [entry("active", `${owners.get(instance.id) ?? 0} of this instance `, instance.id)];
  for (const [owner, n] of [...owners].sort()) if (owner && owner !== instance.id) legend.push(entry("other", `${n} of `, owner));
  for (const state of ["recovering", "fenced"]) {
    const n = instance.partitions.filter((p) => p.state === state).length;
    if (n) legend.push(entry(state, `${n} ${state}`));
  }
  if (owners.get("")) legend.push(entry("nobody", `${owners.get("")} without an owner`));
  $("legend").replaceChildren(...legend);
  const peers = instance.peers.length;
  $("partitions-note").textContent =
    instance.ownership === "static" ? "this instance owns all of them" : peers ? `shared with ${peers} other${peers > 1 ? " instances" : " instance"}` : "no other instance is there";
}

function gateways(instance) {
  $("gateways").hidden = !instance;
  if (!instance) return;
  const rows = instance.gateways.map((g) => {
    const [tone, text] = g.gone
      ? ["bad", `gone; its members are kept for ${span(g.silence)}`]
      : g.silence > 1.6
        ? ["warn", `silent for ${span(g.silence)}`]
        : ["good", "heard"];
    return el("tr", {}, el("td", {}, el("span", { class: "id", text: g.id })), el("td", {}, el("span", { class: "tag", "data-tone": tone, text })));
  });
  $("gateways-rows").replaceChildren(...(rows.length ? rows : [empty(2, "no gateway is heard")]));
}

// --- rooms

let chosen = named(location.hash.slice(1)); // the room whose members are shown

// named reads a room's name in an address. What nobody has encoded, like "100%", is taken as it is.
function named(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function choose(room) {
  chosen = room;
  history.replaceState(null, "", room ? `#${encodeURIComponent(room)}` : location.pathname);
  refresh();
}

const empty = (columns, text) => el("tr", {}, el("td", { colspan: columns, class: "empty", text }));

function tags(room) {
  const all = [];
  if (room.waiting) all.push(el("span", { class: "tag", "data-tone": "warn", text: "waits for its owner" }));
  if (room.locked) all.push(el("span", { class: "tag", text: "locked" }));
  if (room.password) all.push(el("span", { class: "tag", text: "password" }));
  if (room.capacity) all.push(el("span", { class: "tag", text: `at most ${numbers.format(room.capacity)}` }));
  return all;
}

function rooms(page) {
  const list = page.rooms ?? { rooms: [], total: 0 };
  const most = Math.max(1, ...list.rooms.map((room) => room.members));
  const rows = list.rooms.map((room) => {
    const button = el("button", { type: "button", "data-room": room.name, "aria-label": `Members of ${plain(room.name)}` }, foreign(room.name));
    const bar = el("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", `${(100 * room.members) / most}%`);
    const here = page.instance ? null : el("small", { text: `${numbers.format(room.here ?? 0)} here` });
    return el(
      "tr",
      { "aria-selected": room.name === chosen },
      el("td", { class: "name" }, button),
      el("td", { class: "number" }, bar, el("span", { class: "amount" }, `${numbers.format(room.members)} `, here)),
      el("td", {}, el("span", { class: "id", text: plain(room.owner) })),
      el("td", {}, ...tags(room)),
      el("td", { class: "number", text: room.partition }),
    );
  });
  const focused = document.activeElement?.closest("#rooms-rows") ? document.activeElement.dataset.room : null;
  $("rooms-rows").replaceChildren(...(rows.length ? rows : [empty(5, $("prefix").value ? "no room has such a name" : "there are no rooms")]));
  if (focused != null) [...document.querySelectorAll("#rooms-rows button")].find((b) => b.dataset.room === focused)?.focus({ preventScroll: true });
  const shown = list.rooms.length < list.total ? `the ${list.rooms.length} largest of ${numbers.format(list.total)}` : `${numbers.format(list.total)}, largest first`;
  $("rooms-note").textContent = page.instance ? shown : `${shown}, of those with members here`;
}

function room(page) {
  $("room").hidden = !chosen;
  if (!chosen) return;
  const r = page.room;
  $("room-title").replaceChildren("Room ", foreign(chosen));
  $("room-note").textContent = r ? `${numbers.format(r.members)} member${r.members === 1 ? "" : "s"}` : "is not here";
  const fact = (name, ...value) => el("div", {}, el("dt", { text: name }), el("dd", {}, ...value));
  const lost = { close: "it ends", grace: "it waits", transfer: "it goes to the next member" };
  $("room-facts").replaceChildren(
    ...(r
      ? [
          fact("Owner", el("span", { class: "id", text: plain(r.owner) })),
          fact("If the owner is lost", lost[r.onOwnerLost] ?? r.onOwnerLost),
          fact("Partition", r.partition),
          fact("Version", `${r.version} in epoch ${r.epoch}`),
          tags(r).length || r.ownerKey ? fact("Options", ...tags(r), r.ownerKey ? el("span", { class: "tag", text: "owner's key" }) : null) : null,
          r.metadata === undefined ? null : fact("Metadata", el("code", { text: plain(JSON.stringify(r.metadata)) })),
          r.banned ? fact("Kicked", el("span", { class: "id", text: r.banned.join(" ") })) : null,
        ].filter((child) => child)
      : []),
  );
  const rows = (r?.list ?? []).map((m) =>
    el(
      "tr",
      {},
      el("td", {}, el("span", { class: "id", text: plain(m.client) }), m.client === r.owner ? el("span", { class: "tag", text: "owner" }) : null),
      el("td", { class: "name" }, m.display ? foreign(m.display) : "–"),
      el("td", {}, el("span", { class: "id", text: m.gateway }), m.gateway === page.gateway?.id ? el("span", { class: "tag", text: "here" }) : null),
      el("td", { class: "number", text: m.since }),
      el("td", { class: "number", text: m.resumed ?? 0 }),
    ),
  );
  if (r?.next) rows.push(empty(5, `${numbers.format(r.members - r.list.length)} more: signalctl room shows them`));
  $("room-rows").replaceChildren(...(rows.length ? rows : [empty(5, "nobody is in it, or it is owned elsewhere")]));
}

// --- again and again

function show(page) {
  const at = Date.parse(page.now) / 1000;
  title(page);
  const tiles = [...(page.instance ? instanceTiles(page.instance, at) : []), ...(page.gateway ? gatewayTiles(page.gateway) : []), memory(page.gateway ?? page.instance)];
  $("tiles").replaceChildren(...tiles.filter((t) => t));
  partitions(page.instance);
  gateways(page.instance);
  rooms(page);
  room(page);
}

let lost = null; // since when there is no answer
function pulse(state, text) {
  if ($("pulse").dataset.state !== state) $("pulse").dataset.state = state;
  if ($("pulse-text").textContent !== text) $("pulse-text").textContent = text;
}

let timer = 0;
let asked = 0;
async function refresh() {
  clearTimeout(timer);
  const turn = ++asked;
  const query = new URLSearchParams();
  if ($("prefix").value) query.set("prefix", $("prefix").value);
  if (chosen) query.set("room", chosen);
  try {
    const response = await fetch(`live.json?${query}`, { signal: AbortSignal.timeout(patience), cache: "no-store" });
    const page = await response.json();
    if (turn !== asked) return; // another question is on its way
    if (!response.ok) throw new Error(page.error);
    show(page);
    lost = null;
    const draining = page.gateway?.draining;
    pulse(draining ? "lost" : "live", draining ? "draining" : "live");
  } catch {
    if (turn !== asked) return;
    lost ??= Date.now();
    pulse("lost", `no answer for ${span((Date.now() - lost) / 1000)}`);
  }
  if (!document.hidden) timer = setTimeout(refresh, interval);
}

document.addEventListener("visibilitychange", () => document.hidden || refresh());
$("prefix").addEventListener("input", refresh);
$("room-close").addEventListener("click", () => choose(""));
$("rooms-rows").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-room]");
  if (button) choose(button.dataset.room);
});
window.addEventListener("hashchange", () => {
  chosen = named(location.hash.slice(1));
  refresh();
});
refresh();
