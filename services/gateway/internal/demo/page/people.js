// The people in the room: their pictures, and the list of them.
import { $, el, hue } from "./dom.js";
import { peerStates } from "./messages.js";

/** One person, this one included. */
export class Person {
  name = "";
  /** Who the server says the person is, "" if it says nothing. */
  display = "";
  owner = false;
  audible = true;
  state = "new";
  /** The streams that come from this person, by id; which of them is the screen; null for none. */
  streams = new Map();
  screenId = null;
  /** Whether this browser's client may remove the person from the room. */
  removable = false;
  #tile = tile();
  #screenTile = null;
  #drawn = el("div", { class: "person-drawn" });
  #remove;
  #row;

  /** `remove` is called when the person is to be removed; not for oneself. */
  constructor(id, { self = false, remove } = {}) {
    this.id = id;
    this.self = self;
    this.#remove = el("button", { class: "small", text: "Remove", on: { click: () => remove(this) } });
    this.#row = el("li", { class: "person" }, this.#drawn, this.#remove);
    $("tiles").append(this.#tile.root);
    $("people").append(this.#row);
    this.draw();
  }

  /** What to call this person. */
  get title() {
    return this.display || this.name || (this.self ? "You" : `Guest ${this.id.slice(0, 4)}`);
  }

  /** Takes a stream in, and out again when its last track ends. */
  addStream(stream) {
    this.streams.set(stream.id, stream);
    const changed = () => {
      if (!stream.getTracks().length) this.streams.delete(stream.id);
      this.draw();
    };
    stream.onaddtrack = stream.onremovetrack = changed;
    this.draw();
  }

  draw() {
    const screen = this.streams.get(this.screenId) ?? null;
    const stream = [...this.streams.values()].find((other) => other !== screen) ?? null;
    const label = this.self && this.title !== "You" ? `${this.title} (you)` : this.title;
    this.#tile.draw({ person: this, label, stream, mirrored: this.self });
    if (screen && !this.#screenTile) {
      this.#screenTile = tile();
      this.#screenTile.root.classList.add("screen");
      $("tiles").prepend(this.#screenTile.root);
    }
    if (!screen) {
      this.#screenTile?.root.remove();
      this.#screenTile = null;
    }
    this.#screenTile?.draw({ person: this, label: this.self ? "Your screen" : `${label}: screen`, stream: screen, bare: true });
    this.#drawRow(label);
    const count = $("tiles").childElementCount;
    $("tiles").dataset.count = Math.min(count, 10);
    $("count").textContent = $("people").childElementCount || "";
  }

  remove() {
    this.#tile.root.remove();
    this.#screenTile?.root.remove();
    this.#row.remove();
    this.#tile.draw({ person: this, label: "", stream: null });
    $("tiles").dataset.count = Math.min($("tiles").childElementCount, 10);
    $("count").textContent = $("people").childElementCount || "";
  }

  #drawRow(label) {
    const alias = this.display && this.name && this.name !== this.display ? `calls themself “${this.name}”` : null;
    const facts = [this.self ? "this browser" : peerStates[this.state], alias, this.audible ? null : "muted", this.screenId ? "shows a screen" : null];
    this.#drawn.dataset.state = this.self ? "connected" : this.state;
    this.#row.dataset.client = this.id;
    this.#remove.hidden = !this.removable;
    this.#remove.ariaLabel = `Remove ${label} from the room`;
    this.#drawn.replaceChildren(
      avatar(this),
      el(
        "div",
        { class: "who" },
        el("span", { class: "name" }, label, this.owner ? el("span", { class: "owner", text: "owner" }) : null),
        el("span", { class: "muted small", text: facts.filter(Boolean).join(", ") }),
      ),
      el("span", { class: "dot" }),
    );
  }
}

function avatar(person) {
  const letter = [...person.title.trim()][0]?.toUpperCase() ?? "?";
  const circle = el("span", { class: "avatar", "aria-hidden": "true", text: letter });
  circle.style.setProperty("--hue", hue(person.id));
  return circle;
}

/** One picture with its label. */
function tile() {
  const video = el("video", { autoplay: true, playsinline: true });
  const face = el("div", { class: "face" });
  const name = el("span", { class: "name" });
  const facts = el("span", { class: "facts" });
  const root = el("li", { class: "tile" }, video, face, el("p", { class: "label" }, name, facts));
  return {
    root,
    draw({ person, label, stream, mirrored = false, bare = false }) {
      const seen = stream?.getVideoTracks().some((track) => track.readyState === "live") ?? false;
      video.muted = person.self;
      video.ariaLabel = `Picture of ${label}`;
      video.classList.toggle("mirrored", mirrored);
      if (video.srcObject !== stream) {
        video.srcObject = stream;
        if (stream) play(video);
      }
      root.dataset.client = person.id;
      root.dataset.state = person.self ? "connected" : person.state;
      root.dataset.video = seen;
      face.replaceChildren(avatar(person));
      name.textContent = label;
      const words = [
        person.owner ? el("span", { class: "owner", text: "owner" }) : null,
        person.audible ? null : el("span", { class: "mute" }, icon("i-mic-off"), el("span", { class: "quiet", text: "muted" })),
        person.self || person.state === "connected" ? null : el("span", { class: "state", text: peerStates[person.state] }),
      ];
      facts.replaceChildren(...words.filter((word) => word && !bare));
    },
  };
}

function play(video) {
  video.play().catch((error) => {
    if (error.name === "NotAllowedError") video.dispatchEvent(new CustomEvent("blocked", { bubbles: true }));
  });
}

function icon(id) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(namespace, "use");
  use.setAttribute("href", `#${id}`);
  svg.append(use);
  return svg;
}
