// The page: what happens when a button is pressed, and when the server says something.
import { SignallingClient } from "./client.mjs";
import { Call } from "./call.js";
import { $, el, forget, notify, say, tabs } from "./dom.js";
import { inspect } from "./inspector.js";
import { Media } from "./media.js";
import { barred, deviceFault, endings, lost, refusal } from "./messages.js";

/** Lines that the chat keeps. */
const MAX_LINES = 500;

// Where the server asks for one, the link brings a token: #token=… The server is shown it, and no log keeps it.
const client = new SignallingClient(undefined, { token: inLink("token") });
const media = new Media(() => mediaChanged());
const drawFrames = inspect(client);
let call = null; // the Call, while there is one
let lostAt = 0;
let told = null; // what was said of the connection while there is none: whether the session is kept
let unread = 0;
let changingIds = false; // everybody gets a new id after a reconnect, and nobody has really gone

// --- the connection to the server

client.on("open", ({ reconnected }) => {
  connected();
  if (reconnected && !call) say("Connected again.");
});
client.on("resumed", () => {
  connected();
  if (call) line(`Connected again${away()}. You are still in the room, and nobody was told that you were away.`);
  lostAt = 0;
});
client.on("down", ({ code, delay, attempt, resumable }) => {
  const first = told === null;
  if (call && !lostAt) lostAt = Date.now();
  const seconds = Math.max(1, Math.round(delay / 1000));
  status("down", attempt > 1 ? `Offline, next try in ${seconds} s` : "Reconnecting…");
  if (told === resumable) return;
  told = resumable;
  const kept = resumable ? " You keep your place in the room." : "";
  const still = call ? ` Your call goes on; people cannot come or go until it is back.${kept}` : "";
  notify("warning", "connection", `${lost(code)} Trying again by itself.${still}`);
  if (call && first) line(lost(code));
});
client.on("closed", ({ reason }) => {
  status("down", "Offline");
  notify("error", "connection", `The connection to the server has ended: ${reason}.`, {
    label: "Reload",
    run: () => location.reload(),
  });
});
client.on("room-joined", ({ room, created, restored }) => {
  if (!restored) return;
  if (call && call.room !== room.name) return void client.leaveRoom(room.name).catch(() => {});
  changingIds = true;
  queueMicrotask(() => (changingIds = false));
  forget("call");
  if (!call) startCall(room.name);
  const others = room.clients.length;
  const who = others === 0 ? "nobody else is here yet" : others === 1 ? "1 other is here" : `${others} others are here`;
  line(created ? `Connected again${away()}. You own the room, so it was opened again; ${who}.` : `Back in the room${away()}; ${who}.`);
  lostAt = 0;
  drawOwner();
});
client.on("owner-changed", ({ room, ownerId }) => {
  if (call?.room !== room) return;
  line(ownerId === client.id ? "You own the room now." : `${call.title(ownerId)} owns the room now.`);
  drawOwner();
});
client.on("room-updated", ({ room, options }) => {
  if (call?.room !== room) return;
  line(options.locked ? "The room is locked: nobody else can come in." : "The room is open: who has the link can come in.");
  drawOwner();
});
client.on("room-gone", ({ room }) => {
  if (!call) notify("warning", "call", endings.gone, again("Create it again", room, "create"));
});
client.on("error", (error) => {
  if (error.code !== "target-not-found" && error.code !== "not-in-room") notify("warning", "error", refusal(error, error.room));
});
void client.connect();

function connected() {
  status("open", "Connected");
  forget("connection");
  told = null;
}

/** For how long there was no connection. */
function away() {
  return lostAt ? ` after ${Math.max(1, Math.round((Date.now() - lostAt) / 1000))} s` : "";
}

function status(state, text) {
  $("status").dataset.state = state;
  $("status-text").textContent = text;
}

// --- entering and leaving a room

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  void enter($("room").value.trim(), event.submitter?.value ?? "create");
});

async function enter(room, how) {
  if (!room || call) return;
  remember();
  busy(true);
  forget("call");
  startCall(room, { hidden: true }); // its mesh listens before the first signal can come
  try {
    await (how === "create" ? client.createRoom(room) : client.joinRoom(room));
  } catch (error) {
    call.mesh.close();
    const action = {
      "room-exists": { label: "Join it", run: () => enter(room, "join") },
      "room-not-exists": { label: "Create it", run: () => enter(room, "create") },
    }[error.code];
    notify("error", "call", error.code === "forbidden" ? barred(room) : refusal(error, room), action);
    return;
  } finally {
    busy(false);
  }
  line(how === "create" ? `You created the room “${room}”. Copy its link to invite people.` : `You joined the room “${room}”.`);
  showCall();
  drawOwner();
  await begin();
}

function startCall(room, { hidden = false } = {}) {
  const name = $("name").value.trim();
  call = new Call(client, room, media, { name }, { chat, came, went, remove, failed: console.warn, ended });
  if (!hidden) {
    showCall();
    void begin();
  }
}

/** Turns on what the person wants to begin with. */
async function begin() {
  if ($("with-microphone").checked && !media.microphone) await device("microphone", () => media.setMicrophone(true));
  if (call && $("with-camera").checked && !media.camera) await device("camera", () => media.setCamera(true));
  if (!call) media.stop(); // the room was closed meanwhile
}

/** Shows who owns the room, and gives the owner what only owners can do. */
function drawOwner() {
  call.drawOwner();
  $("locked").hidden = !call.locked;
  $("owning").hidden = !call.owned;
  $("lock").textContent = call.locked ? "Unlock the room" : "Lock the room";
  $("leave-text").textContent = call.owned ? "End call" : "Leave";
  $("leave").title = call.owned ? "You own the room: it is closed for everybody" : "";
}

function ended(reason) {
  const { room } = call;
  const shown = !$("call").hidden;
  call = null;
  if (!shown) return; // it never began
  lostAt = 0;
  media.stop();
  line(endings[reason]);
  const action = { kicked: ["Join again", "join"], gone: ["Create it again", "create"] }[reason];
  if (reason !== "closed") {
    notify(reason === "left" ? "info" : "warning", "call", endings[reason], action && again(action[0], room, action[1]));
  }
  $("call").hidden = $("where").hidden = true;
  $("start").hidden = false;
  view("start");
  document.title = "Signalling: a call in the browser";
  $("room").value = room;
  invite();
  $("start-title").focus();
}

/** Chat and people belong to a call. */
function view(name) {
  document.body.dataset.view = name;
  $("tab-chat").hidden = $("tab-people").hidden = name !== "call";
  select(name === "call" ? "tab-chat" : "tab-inspector");
}

const again = (label, room, how) => ({ label, run: () => enter(room, how) });

$("lock").addEventListener("click", () => owning(client.updateRoom(call.room, { locked: !call.locked })));

function remove(person) {
  return owning(client.kick(call.room, person.id));
}

/** Waits for what only an owner may do, and tells if it was refused. */
async function owning(command) {
  forget("owning");
  try {
    await command;
  } catch (error) {
    if (call) notify("warning", "owning", refusal(error, call.room));
  }
}

$("leave").addEventListener("click", () => {
  client.leaveRoom(call.room).catch((error) => {
    notify("error", "call", refusal(error, call?.room));
    call?.mesh.close();
  });
});

function showCall() {
  $("start").hidden = true;
  $("call").hidden = $("where").hidden = false;
  view("call");
  $("room-name").textContent = call.room;
  document.title = `${call.room}: a call`;
  history.replaceState(null, "", link(call.room));
  mediaChanged();
  $("call-title").focus();
  say(`You are in the room ${call.room}.`);
}

function busy(on) {
  for (const id of ["create", "join"]) $(id).disabled = on;
  $("enter").ariaBusy = on;
}

// --- the link

const link = (room) => `#room=${encodeURIComponent(room)}`;

function invited() {
  return inLink("room");
}

function inLink(name) {
  return new URLSearchParams(location.hash.slice(1)).get(name) ?? "";
}

/** Fits the form to the link: who came by one wants to join, who did not wants to create. */
function invite() {
  const room = invited();
  if (room && !call) $("room").value = room;
  $("start-title").textContent = room ? "Join the call" : "Start a call";
  $("start-hint").textContent = room
    ? "You have the link to this room. Come in when you are ready."
    : "Create a room, then send its link to the people you want to talk to.";
  $("join").classList.toggle("primary", !!room);
  $("create").classList.toggle("primary", !room);
  // The first button is the one that Enter presses.
  $(room ? "create" : "join").parentElement.append($(room ? "create" : "join"));
}

window.addEventListener("hashchange", () => {
  if (call && invited() !== call.room) notify("info", "link", "You are in another room. Leave it, then open the link again.");
  else invite();
});

$("share").addEventListener("click", async () => {
  const url = new URL(link(call.room), location.href).href;
  try {
    await navigator.clipboard.writeText(url);
    notify("info", "link", "The link is copied. Send it to whom you want to talk to.");
  } catch {
    notify("info", "link", `Copy this link: ${url}`); // pages by plain http may not use the clipboard
  }
});

// --- devices

const buttons = {
  microphone: { on: () => media.audible, set: (on) => media.setMicrophone(on) },
  camera: { on: () => !!media.camera, set: (on) => media.setCamera(on) },
  screen: { on: () => !!media.screen, set: (on) => media.setScreen(on) },
};
for (const [what, { on, set }] of Object.entries(buttons)) {
  $(what).addEventListener("click", () => device(what, () => set(!on())));
}

async function device(what, turn) {
  forget(what);
  $(what).disabled = true;
  try {
    await turn();
  } catch (error) {
    notify("warning", what, deviceFault(error, what));
  } finally {
    $(what).disabled = false;
  }
}

function mediaChanged() {
  for (const [what, { on }] of Object.entries(buttons)) $(what).setAttribute("aria-pressed", on());
  call?.mediaChanged();
}

document.addEventListener("blocked", () => {
  notify("info", "sound", "The browser waits for your word before it plays sound.", {
    label: "Play",
    run: () => document.querySelectorAll("video").forEach((video) => void video.play().catch(() => {})),
  });
}, true);

// --- people and chat

function came(person) {
  line(`${person.title} is here.`);
}

function went(person) {
  if (!changingIds) line(`${person.title} has gone.`);
}

function chat(person, text) {
  line(text, person.title);
  if (!$("panel-chat").hidden) return;
  $("unread").textContent = ++unread;
  $("unread").hidden = false;
}

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !call) return;
  const others = call.people.size;
  const reached = call.say(text);
  line(text, "You", reached < others ? `reached ${reached} of ${others}` : "");
  $("text").value = "";
});

/** Adds a line to the chat: somebody's, or, without a name, what happened. */
function line(text, name = "", note = "") {
  const log = $("log");
  const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  log.append(
    el(
      "li",
      { class: name ? (name === "You" ? "said own" : "said") : "happened" },
      name ? el("span", { class: "by", text: name }) : null,
      el("span", { class: "text", text }),
      el("span", { class: "muted small", text: note ? `${time} · ${note}` : time }),
    ),
  );
  if (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
  follow();
}

// The chat follows its end unless somebody has scrolled up, also when a phone's keyboard makes it smaller.
let following = true;
const follow = () => {
  if (following) $("log").scrollTop = $("log").scrollHeight;
};
$("log").addEventListener("scroll", () => {
  const log = $("log");
  following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
});
new ResizeObserver(follow).observe($("log"));

const select = tabs(document.querySelector("[role=tablist]"), (tab) => {
  if (tab === "tab-chat") {
    unread = 0;
    $("unread").hidden = true;
  }
  if (tab === "tab-inspector") drawFrames();
});

// --- what the page remembers, on this device only

function remember() {
  try {
    localStorage.setItem("name", $("name").value.trim());
  } catch {
    // A browser that keeps nothing works as well.
  }
}

try {
  $("name").value = localStorage.getItem("name") ?? "";
} catch {
  // As above.
}
$("room").value = `room-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
view("start");
invite();
