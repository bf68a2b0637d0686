// How a program in TypeScript uses the SDK: checked against the declarations that are served, never run.
import { PeerMesh, SignallingClient, SignallingError, type ChannelData, type Room, type RoomOptions, type RoomState } from "../dist/client.js";

export async function usage(stream: MediaStream, abort: AbortSignal): Promise<void> {
  const client = new SignallingClient("wss://example.org/ws", { reconnect: { max: 5000 }, iceServers: [] });
  const several = new SignallingClient(["wss://a.example/ws", new URL("wss://b.example/ws")], { resume: false });
  several.on("down", ({ resumable, delay }) => console.log(resumable === false, delay));
  several.on("resumed", ({ clientId, missed }) => console.log(clientId, missed === true));
  const room: Room = await client.createRoom("lobby", { signal: abort });
  const names: readonly string[] = room.clients.map((id) => room.displays.get(id) ?? id);
  client.on("client-joined", ({ display, clientId }) => console.log(client.display, display?.length, clientId));
  const off = client.on("room-left", ({ room: name, kicked }) => console.log(name.length, kicked === true));
  client.on("error", (error: SignallingError) => console.log(error.code === "forbidden"));
  const options: RoomOptions = { onOwnerLost: "grace", ownerKey: "k", capacity: 4, password: "p", metadata: { topic: "tea" } };
  const mine: Room = await client.createRoom("mine", { ...options, signal: abort });
  const state: RoomState = (await client.joinRoom("theirs", { password: "p" })).options;
  await client.updateRoom(mine.name, { locked: !state.locked, capacity: null });
  await client.kick(mine.name, "somebody", { signal: abort });
  client.on("owner-changed", ({ room: name, ownerId }) => console.log(name, ownerId === client.id));
  client.on("room-updated", ({ room: name, options: now }) => console.log(name, now.locked, now.password, now.capacity ?? 0));
  off();
  const { data } = await client.once("signal", { signal: abort });
  const mesh = new PeerMesh(client, "lobby", { channels: ["chat"] });
  for (const track of stream.getTracks()) mesh.addTrack(track, stream);
  mesh.on("state", ({ peer, state }) => console.log(peer.id, state === "connected", peer.connection?.iceConnectionState));
  const message: ChannelData = new Uint8Array(3);
  const reached: number = mesh.send(message, "chat");
  console.log(names, reached, data);

  // @ts-expect-error: there is no such event
  client.on("room-lefft", () => {});
  // @ts-expect-error: the event has no such field
  client.on("client-left", ({ clientID }) => clientID);
  // @ts-expect-error: data is unknown until it was looked at
  data.type;
  // @ts-expect-error: no such code
  if (new SignallingError("forbiden", "")) return;
  // @ts-expect-error: the roster is not for writing
  client.rooms.delete("lobby");
  // @ts-expect-error: a password that is told is whether there is one
  mine.options.password.length;
  // @ts-expect-error: no such answer to the loss of an owner
  await client.createRoom("x", { onOwnerLost: "wait" });
}
