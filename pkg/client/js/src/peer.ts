import { pause } from "./backoff.js";
import { passes, type SignallingError } from "./errors.js";

/** Bytes that may wait in a data channel. More is not sent. */
const MAX_BUFFERED = 1 << 20;
/** How often a signal that the server could not take right now is sent again. */
const MAX_RESENDS = 5;

/** How many offers of the other side are remembered. */
const MAX_HEARD = 16;

/** A description as it travels: `offer` names the offer, and the answer repeats it, so that neither is taken twice. */
type Description = RTCSessionDescriptionInit & { offer?: number };

/** What a peer needs of its mesh. */
export interface PeerHost {
  readonly labels: readonly string[];
  readonly tracks: ReadonlyMap<MediaStreamTrack, readonly MediaStream[]>;
  readonly disconnectedGrace: number;
  connect(): RTCPeerConnection;
  configuration(): RTCConfiguration;
  signal(id: string, data: unknown): Promise<void>;
  state(peer: Peer): void;
  track(peer: Peer, event: RTCTrackEvent): void;
  channel(peer: Peer, channel: RTCDataChannel): void;
  message(peer: Peer, channel: RTCDataChannel, data: unknown): void;
  failed(peer: Peer, error: unknown): void;
}

/** What may be sent on a data channel. */
export type ChannelData = string | Blob | ArrayBuffer | ArrayBufferView;

/**
 * The connection to one other member, negotiated by the perfect-negotiation pattern (WebRTC 1.0, section 10.7): either
 * side may change anything at any time, and of two offers at once that of the impolite side wins.
 */
export class Peer {
  readonly #host: PeerHost;
  readonly #polite: boolean;
  readonly #channels = new Map<string, RTCDataChannel>();
  #connection: RTCPeerConnection | undefined;
  #makingOffer = false;
  #ignoreOffer = false;
  #settingAnswer = false;
  /** A description of the other side was taken, or is being taken: candidates have what to belong to. */
  #remoteKnown = false;
  /** Names the newest own offer. */
  #offered = 0;
  /** The names of the other side's offers, the oldest first. */
  readonly #heard = new Set<number>();
  #closed = false;
  #restartTimer: ReturnType<typeof setTimeout> | undefined;

  /** @internal */
  constructor(
    /** The other member's client id. */
    readonly id: string,
    selfId: string,
    host: PeerHost,
  ) {
    this.#host = host;
    this.#polite = selfId < id;
  }

  /** How the connection is. `new` until the first description. */
  get state(): RTCPeerConnectionState {
    return this.#closed ? "closed" : (this.#connection?.connectionState ?? "new");
  }

  /** The connection underneath, for statistics and for what this class does not do. Undefined while `new`. */
  get connection(): RTCPeerConnection | undefined {
    return this.#connection;
  }

  /** The data channels that are open, by label. */
  get channels(): ReadonlyMap<string, RTCDataChannel> {
    return this.#channels;
  }

  /**
   * Sends on the open channel of that label (by default the mesh's first). Returns false if there is none, or if more
   * than 1 MiB waits there already: nothing is sent then.
   */
  send(data: ChannelData, label: string = this.#host.labels[0] ?? ""): boolean {
    const channel = this.#channels.get(label);
    if (channel?.readyState !== "open" || channel.bufferedAmount > MAX_BUFFERED) return false;
    channel.send(data as string);
    return true;
  }

  /** Opens one more data channel. The other side is told of it as of any. */
  createChannel(label: string, options?: RTCDataChannelInit): RTCDataChannel {
    const channel = this.#open().createDataChannel(label, options);
    this.#adopt(channel);
    return channel;
  }

  /** Finds new ways through the network (RFC 8445 section 2.4), as is done by itself when the present one fails. */
  restart(): void {
    const connection = this.#connection;
    if (!connection || this.#closed) return;
    try {
      connection.setConfiguration(this.#host.configuration()); // credentials may be new
    } catch (error) {
      this.#host.failed(this, error);
    }
    connection.restartIce();
  }

  /** @internal Begins the connection from this side. */
  call(): void {
    const connection = this.#open();
    for (const label of this.#host.labels) this.#adopt(connection.createDataChannel(label));
  }

  /** @internal */
  async receive(data: unknown): Promise<void> {
    try {
      const signal = (data ?? {}) as Description & RTCIceCandidateInit;
      if (signal.type) await this.#described(signal);
      else await this.#candidate(signal);
    } catch (error) {
      if (!this.#closed) this.#host.failed(this, error);
    }
  }

  /** @internal */
  addTrack(track: MediaStreamTrack, streams: readonly MediaStream[]): void {
    this.#connection?.addTrack(track, ...streams);
  }

  /** @internal */
  removeTrack(track: MediaStreamTrack): void {
    const sender = this.#sender(track);
    if (sender) this.#connection!.removeTrack(sender);
  }

  /** @internal */
  async replaceTrack(old: MediaStreamTrack, track: MediaStreamTrack): Promise<void> {
    await this.#sender(old)?.replaceTrack(track);
  }

  /** @internal */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#restartTimer);
    const connection = this.#connection;
    if (connection) {
      connection.onnegotiationneeded = connection.onicecandidate = connection.ontrack = null;
      connection.ondatachannel = connection.onconnectionstatechange = connection.oniceconnectionstatechange = null;
      for (const channel of this.#channels.values()) channel.onmessage = channel.onclose = null;
      connection.close();
    }
    this.#channels.clear();
    this.#host.state(this);
  }

  #open(): RTCPeerConnection {
    if (this.#connection) return this.#connection;
    const connection = (this.#connection = this.#host.connect());
    connection.onnegotiationneeded = () => void this.#offer();
    connection.onicecandidate = ({ candidate }) => this.#send(candidate?.toJSON() ?? {});
    connection.ontrack = (event) => this.#host.track(this, event);
    connection.ondatachannel = ({ channel }) => this.#adopt(channel);
    connection.onconnectionstatechange = () => this.#host.state(this);
    connection.oniceconnectionstatechange = () => this.#watch(connection.iceConnectionState);
    for (const [track, streams] of this.#host.tracks) connection.addTrack(track, ...streams);
    return connection;
  }

  async #offer(): Promise<void> {
    try {
      this.#makingOffer = true;
      this.#offered = Math.random();
      await this.#connection!.setLocalDescription();
      this.#send({ ...this.#connection!.localDescription!.toJSON(), offer: this.#offered });
    } catch (error) {
      if (!this.#closed) this.#host.failed(this, error);
    } finally {
      this.#makingOffer = false;
    }
  }

  async #described(description: Description): Promise<void> {
    const offer = description.type === "offer";
    if (this.#closed || (!offer && !this.#connection) || this.#twice(description)) return;
    const connection = this.#open();
    const ready = !this.#makingOffer && (connection.signalingState === "stable" || this.#settingAnswer);
    this.#ignoreOffer = offer && !ready && !this.#polite;
    if (this.#ignoreOffer) return;
    this.#settingAnswer = description.type === "answer";
    this.#remoteKnown = true;
    try {
      await connection.setRemoteDescription(description); // takes an own offer back, if there is one
    } finally {
      this.#settingAnswer = false;
    }
    if (!offer) return;
    await connection.setLocalDescription();
    this.#send({ ...connection.localDescription!.toJSON(), ...(description.offer && { offer: description.offer }) });
  }

  /** Whether the description was here before: what may have been lost with a gateway is sent again. */
  #twice({ type, offer }: Description): boolean {
    if (type === "answer") {
      const wanted = !offer || offer === this.#offered;
      return !wanted || this.#settingAnswer || this.#connection!.signalingState === "stable";
    }
    if (type !== "offer" || !offer) return false;
    if (this.#heard.has(offer)) return true;
    this.#heard.add(offer);
    if (this.#heard.size > MAX_HEARD) this.#heard.delete(this.#heard.values().next().value!);
    return false;
  }

  async #candidate(candidate: RTCIceCandidateInit): Promise<void> {
    const connection = this.#connection;
    // Before any description it belongs to one that was lost. That is sent again, with the candidates found until then.
    if (!connection || !this.#remoteKnown || this.#closed) return;
    try {
      // No candidate, or an empty one, says that no more come (RFC 8838 section 8.2).
      await (candidate.candidate ? connection.addIceCandidate(candidate) : connection.addIceCandidate());
    } catch (error) {
      if (!this.#ignoreOffer) throw error;
    }
  }

  /** Sends a signal; if the server cannot take it right now, or nobody knows whether it has, again a little later. */
  #send(data: Description | RTCIceCandidateInit, attempt = 0): void {
    this.#host.signal(this.id, data).catch((error) => {
      if (this.#closed || !passes(error) || attempt >= MAX_RESENDS) return;
      const { type, offer } = data as Description;
      setTimeout(
        () => {
          const { localDescription, currentLocalDescription } = this.#connection ?? {};
          const local = type === "answer" ? currentLocalDescription : localDescription;
          if (this.#closed || (type && local?.type !== type)) return;
          // It was answered, or there is a newer one.
          if (type === "offer" && (this.#connection!.signalingState === "stable" || offer !== this.#offered)) return;
          // The present description holds the candidates too that were sent in vain before it.
          this.#send(type ? { ...local!.toJSON(), ...(offer && { offer }) } : data, attempt + 1);
        },
        Math.max((error as SignallingError).retryAfter ?? 0, pause({ min: 500, max: 8000 }, attempt)),
      );
    });
  }

  #watch(state: RTCIceConnectionState): void {
    clearTimeout(this.#restartTimer);
    if (state === "failed") this.restart();
    if (state !== "disconnected") return;
    this.#restartTimer = setTimeout(() => this.restart(), this.#host.disconnectedGrace);
  }

  #adopt(channel: RTCDataChannel): void {
    channel.binaryType = "arraybuffer";
    const opened = () => {
      if (this.#closed) return;
      this.#channels.set(channel.label, channel);
      this.#host.channel(this, channel);
    };
    channel.onmessage = ({ data }) => this.#host.message(this, channel, data);
    channel.onclose = () => {
      if (this.#channels.get(channel.label) === channel) this.#channels.delete(channel.label);
    };
    if (channel.readyState === "open") opened();
    else channel.onopen = opened;
  }

  #sender(track: MediaStreamTrack): RTCRtpSender | undefined {
    return this.#connection?.getSenders().find((sender) => sender.track === track);
  }
}
