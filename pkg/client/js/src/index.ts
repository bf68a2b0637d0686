export { SignallingClient } from "./client.js";
export { SignallingError, type FailureCode } from "./errors.js";
export { PeerMesh, type MeshEvents, type MeshOptions } from "./mesh.js";
export { Peer, type ChannelData } from "./peer.js";
export { reconnectAfter, PROTOCOL, type ErrorCode } from "./protocol.js";
export { Emitter, type Unsubscribe } from "./emitter.js";
export type { Backoff } from "./backoff.js";
export type { WebSocketConstructor, WebSocketLike } from "./link.js";
export type { Address, ClientEvents, ClientOptions, ClientState, CommandOptions, Room } from "./options.js";
