// How a program in TypeScript uses the SDK: checked against the declarations that are served, never run.
import { PeerMesh, SignallingClient, SignallingError, type ChannelData, type Room } from "../dist/client.js";

export async function usage(stream: MediaStream, abort: AbortSignal): Promise<void> {
  const client = new SignallingClient("wss://example.org/ws", { reconnect: { max: 5000 }, iceServers: [] });
  const room: Room = await client.createRoom("lobby", { signal: abort });
  const names: readonly string[] = room.clients;
  const off = client.on("room-left", ({ room: name, kicked }) => console.log(name.length, kicked === true));
  client.on("error", (error: SignallingError) => console.log(error.code === "forbidden"));
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
}
