// One call: a room, its mesh, and the people in it.
import { PeerMesh } from "./client.mjs";
import { Person } from "./people.js";

/** The longest name and chat message that are shown, in characters. */
const MAX_NAME = 40;
const MAX_TEXT = 2000;

/**
 * Connects this person's media with everybody in the room. `on` has a function for each thing that happens:
 * chat(person, text), came(person), went(person), remove(person), failed(error), ended(reason).
 *
 * On the data channel people tell each other, as JSON, {name, audible, screen} whenever it changes, and {text}.
 */
export class Call {
  people = new Map();

  constructor(client, room, media, me, on) {
    this.client = client;
    this.room = room;
    this.media = media;
    this.on = on;
    this.me = new Person("you", { self: true });
    this.me.name = me.name;
    this.mesh = new PeerMesh(client, room);
    this.sent = new Map(); // tracks that the mesh sends, and the stream of each
    this.mesh.on("peer", ({ peer }) => this.#came(peer));
    this.mesh.on("peer-left", ({ peer }) => this.#went(peer));
    this.mesh.on("state", ({ peer }) => this.#changed(peer));
    this.mesh.on("channel", ({ peer }) => peer.send(this.#about()));
    this.mesh.on("track", ({ peer, streams }) => streams.forEach((stream) => this.people.get(peer.id)?.addStream(stream)));
    this.mesh.on("message", ({ peer, data }) => this.#told(this.people.get(peer.id), data));
    this.mesh.on("error", ({ error }) => on.failed(error));
    this.mesh.on("closed", ({ reason }) => this.#ended(reason));
    this.mediaChanged();
  }

  /** Whether this browser's client owns the room. */
  get owned() {
    return this.#ownerId === this.client.id;
  }

  /** Whether nobody else can come in. */
  get locked() {
    return this.client.rooms.get(this.room)?.options.locked ?? false;
  }

  get #ownerId() {
    return this.client.rooms.get(this.room)?.ownerId;
  }

  /** What to call the client with this id. */
  title(id) {
    return id === this.client.id ? "You" : (this.people.get(id)?.title ?? "Somebody");
  }

  /** Sends a chat message to everybody, and says how many got it. */
  say(text) {
    return this.mesh.send(JSON.stringify({ text }));
  }

  /** Tells the mesh which tracks there are now, and the others what they are. */
  mediaChanged() {
    const { stream, screen } = this.media;
    const wanted = new Map();
    for (const source of [stream, screen]) for (const track of source?.getTracks() ?? []) wanted.set(track, source);
    for (const track of this.sent.keys()) if (!wanted.has(track)) this.mesh.removeTrack(track);
    for (const [track, source] of wanted) if (!this.sent.has(track)) this.mesh.addTrack(track, source);
    this.sent = wanted;
    this.me.streams = new Map([stream, screen].filter(Boolean).map((source) => [source.id, source]));
    this.me.screenId = screen?.id ?? null;
    this.me.audible = this.media.audible;
    this.me.draw();
    this.mesh.send(this.#about());
  }

  /** Marks who owns the room now. */
  drawOwner() {
    this.me.owner = this.owned;
    this.me.display = this.client.display ?? "";
    this.me.draw();
    for (const person of this.people.values()) this.#rank(person);
  }

  #rank(person) {
    person.owner = this.#ownerId === person.id;
    person.removable = this.owned;
    person.display = this.client.rooms.get(this.room)?.displays.get(person.id) ?? "";
    person.draw();
  }

  #about() {
    const { media, me } = this;
    return JSON.stringify({ name: me.name, audible: media.audible, screen: media.screen?.id ?? null });
  }

  #came(peer) {
    const person = new Person(peer.id, { remove: this.on.remove });
    this.#rank(person);
    this.people.set(peer.id, person);
  }

  #went(peer) {
    const person = this.people.get(peer.id);
    this.people.delete(peer.id);
    person.remove();
    if (person.met) this.on.went(person);
  }

  #changed(peer) {
    const person = this.people.get(peer.id);
    if (!person) return;
    person.state = peer.state;
    person.draw();
    if (peer.state === "connected") peer.send(this.#about()); // again after an interruption
  }

  /** Another person said something. It may be anything: the page of that person may be another than this. */
  #told(person, data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (!person || typeof message !== "object" || message === null) return;
    if (typeof message.text === "string") this.on.chat(person, message.text.slice(0, MAX_TEXT));
    if (typeof message.name !== "string") return;
    person.name = message.name.trim().slice(0, MAX_NAME);
    person.audible = message.audible === true;
    person.screenId = typeof message.screen === "string" ? message.screen : null;
    person.draw();
    if (!person.met) this.on.came(person);
    person.met = true;
  }

  #ended(reason) {
    this.me.remove();
    this.on.ended(reason);
  }
}
