import type { SignallingClient } from "./client.js";
import { Emitter } from "./emitter.js";
import type { Room } from "./options.js";
import { type ChannelData, Peer, type PeerHost } from "./peer.js";

export interface MeshOptions {
  /** Labels of the data channels that each connection gets. Default: one, `data`. */
  channels?: readonly string[];
  /** ICE servers instead of the client's. */
  iceServers?: RTCIceServer[];
  /** More of the configuration of each RTCPeerConnection. */
  configuration?: RTCConfiguration;
  /** How long, in ms, a connection may be `disconnected` before another way is looked for. Default: 4,000. */
  disconnectedGrace?: number;
  /** What to make connections with. Default: the global RTCPeerConnection. */
  RTCPeerConnection?: typeof RTCPeerConnection;
}

export interface MeshEvents {
  /** There is another member, and a connection to it is being made. */
  peer: { peer: Peer };
  /** The state of a peer's connection has changed. */
  state: { peer: Peer; state: RTCPeerConnectionState };
  /** The member has gone, and the connection to it with it. */
  "peer-left": { peer: Peer };
  /** A peer sends a track. */
  track: { peer: Peer; track: MediaStreamTrack; streams: readonly MediaStream[] };
  /** A data channel is open. */
  channel: { peer: Peer; channel: RTCDataChannel };
  /** A message on a data channel: a string or an ArrayBuffer. */
  message: { peer: Peer; label: string; data: unknown };
  /** The mesh has ended: `left`, `kicked` (the owner closed the room), `gone` (not found after a reconnect), `closed`. */
  closed: { reason: "left" | "kicked" | "gone" | "closed" };
  /** Something failed that concerns one connection. The mesh goes on. */
  error: { peer: Peer; error: unknown };
}

/**
 * Turns a room into connections: one RTCPeerConnection with each other member, made, repaired and ended as members come
 * and go. Who joins makes the offers. Make it before or after entering the room.
 *
 * When the signalling connection is lost, the peers' connections stay (but for those of members that the server has told
 * to be gone before). Where the server keeps sessions nothing more comes of it. Otherwise they are made anew once the room is
 * entered again, because members then have new ids.
 */
export class PeerMesh extends Emitter<MeshEvents> {
  readonly #client: SignallingClient;
  readonly #options: MeshOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #tracks = new Map<MediaStreamTrack, readonly MediaStream[]>();
  readonly #stop = new AbortController();
  readonly #host: PeerHost;
  #selfId = "";

  constructor(
    client: SignallingClient,
    /** The room's name. */
    readonly room: string,
    options: MeshOptions = {},
  ) {
    super();
    this.#client = client;
    this.#options = options;
    this.#host = this.#makeHost();
    // The microtask gives the caller time to listen, and comes before that of early signals.
    queueMicrotask(() => {
      const present = client.rooms.get(room);
      if (present) this.#entered(present);
    });
    this.#listen();
  }

  /** The other members and the connections to them, by client id. */
  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers;
  }

  /** Whether the mesh has ended. */
  get closed(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Sends a track to every peer, present and to come. */
  addTrack(track: MediaStreamTrack, ...streams: MediaStream[]): void {
    if (this.#tracks.has(track)) return;
    this.#tracks.set(track, streams);
    for (const peer of this.#peers.values()) peer.addTrack(track, streams);
  }

  /** Sends the track no more. It is not stopped. */
  removeTrack(track: MediaStreamTrack): void {
    if (!this.#tracks.delete(track)) return;
    for (const peer of this.#peers.values()) peer.removeTrack(track);
  }

  /** Sends another track of the same kind in the place of one, without new negotiations. */
  async replaceTrack(old: MediaStreamTrack, track: MediaStreamTrack): Promise<void> {
    const streams = this.#tracks.get(old);
    if (!streams) throw new Error("the track to replace is not sent");
    this.#tracks.delete(old);
    this.#tracks.set(track, streams);
    await Promise.all([...this.#peers.values()].map((peer) => peer.replaceTrack(old, track)));
  }

  /** Sends to every peer whose channel of that label (by default the first) is open; returns to how many. */
  send(data: ChannelData, label?: string): number {
    let sent = 0;
    for (const peer of this.#peers.values()) if (peer.send(data, label)) sent++;
    return sent;
  }

  /** Ends all connections. The client stays in the room; tracks go on. */
  close(): void {
    this.#end("closed");
  }

  #listen(): void {
    const client = this.#client;
    const own = (event: { room: string }) => event.room === this.room;
    const options = { signal: this.#stop.signal };
    client.on("room-joined", ({ room }) => room.name === this.room && this.#entered(room), options);
    client.on("client-joined", (event) => own(event) && this.#add(event.clientId), options);
    client.on("client-left", (event) => own(event) && this.#remove(event.clientId), options);
    client.on("room-left", (event) => own(event) && this.#end(event.kicked ? "kicked" : "left"), options);
    client.on("room-gone", (event) => own(event) && this.#end("gone"), options);
    client.on("closed", () => this.#end("closed"), options);
    client.on(
      "signal",
      (event) => {
        if (own(event)) void this.#peers.get(event.senderId)?.receive(event.data);
      },
      options,
    );
  }

  /** The client is in the room, for the first time or again. Who comes into a room calls those who are there. */
  #entered({ clients, earlier }: Room): void {
    if (this.closed) return;
    const again = this.#selfId !== this.#client.id;
    this.#selfId = this.#client.id;
    for (const id of [...this.#peers.keys()]) if (again || !clients.includes(id)) this.#remove(id);
    for (const id of clients) {
      if (this.#peers.has(id)) continue;
      const peer = this.#add(id);
      if (earlier.includes(id)) peer.call();
    }
  }

  #add(id: string): Peer {
    let peer = this.#peers.get(id);
    if (peer) return peer;
    peer = new Peer(id, this.#selfId, this.#host);
    this.#peers.set(id, peer);
    this.emit("peer", { peer });
    return peer;
  }

  #remove(id: string): void {
    const peer = this.#peers.get(id);
    if (!peer) return;
    this.#peers.delete(id);
    peer.close();
    this.emit("peer-left", { peer });
  }

  #end(reason: MeshEvents["closed"]["reason"]): void {
    if (this.closed) return;
    this.#stop.abort();
    for (const id of [...this.#peers.keys()]) this.#remove(id);
    this.#tracks.clear();
    this.emit("closed", { reason });
  }

  #makeHost(): PeerHost {
    const { iceServers, configuration, disconnectedGrace = 4000 } = this.#options;
    const make = this.#options.RTCPeerConnection ?? globalThis.RTCPeerConnection;
    if (!make) throw new Error("there is no RTCPeerConnection here; give one in the options");
    const settings = () => ({ ...configuration, iceServers: iceServers ?? this.#client.iceServers });
    return {
      labels: this.#options.channels ?? ["data"],
      tracks: this.#tracks,
      disconnectedGrace,
      configuration: settings,
      connect: () => new make(settings()),
      signal: (id, data) => this.#client.signal(this.room, id, data),
      state: (peer) => this.emit("state", { peer, state: peer.state }),
      track: (peer, { track, streams }) => this.emit("track", { peer, track, streams }),
      channel: (peer, channel) => this.emit("channel", { peer, channel }),
      message: (peer, { label }, data) => this.emit("message", { peer, label, data }),
      failed: (peer, error) => this.emit("error", { peer, error }),
    };
  }
}
