// One client in a page: the owner of a room, who offers a data channel to each client that joins, or a guest, who answers.
// All that it knows of the others came by signalling.
"use strict";

const settings = JSON.parse(new URLSearchParams(location.search).get("settings"));
const { name, role, server, room, options } = settings;

function report(what, more) {
  const body = JSON.stringify({ name, what, ...more });
  return fetch("/report", { method: "POST", body });
}
addEventListener("error", (e) => report("fault", { text: String(e.message) }));
addEventListener("unhandledrejection", (e) => report("fault", { text: String(e.reason) }));

const socket = io(server, options);
const connections = new Map(); // RTCPeerConnection by the other's id

socket.on("connect", () => {
  report("connect", { id: socket.id });
  if (role) socket.emit(role === "owner" ? "room-create" : "room-join", room);
});
socket.on("connect_error", (err) => report("connect-error", { text: String(err.message) }));
socket.on("error", (...args) => report("fault", { text: JSON.stringify(args) }));
socket.on("disconnect", (reason) => report("fault", { text: reason }));
socket.on("room-created", () => parent.postMessage({ ready: name }));
socket.on("client-joined", async (_, id) => {
  if (role !== "owner") return;
  report("client-joined", { id });
  use(connection(id).createDataChannel("data"), id);
  await describe(id, await connection(id).createOffer());
});
socket.on("signal-receive", (_, id, data) => {
  received = received.then(() => receive(id, data)); // one after the other, as they came
});

let received = Promise.resolve();

async function receive(id, { description, candidate }) {
  const pc = connection(id);
  if (!description) {
    await pc.addIceCandidate(candidate); // null and an empty one mean that there are no more
    if (!candidate || !candidate.candidate) report("end-of-candidates", { id });
    return;
  }
  await pc.setRemoteDescription(description);
  if (description.type === "offer") await describe(id, await pc.createAnswer());
}

async function describe(id, description) {
  await connection(id).setLocalDescription(description);
  socket.emit("signal-send", room, id, { description: connection(id).localDescription });
}

function connection(id) {
  if (!connections.has(id)) {
    const pc = new RTCPeerConnection();
    pc.onicecandidate = ({ candidate }) => socket.emit("signal-send", room, id, { candidate });
    pc.ondatachannel = ({ channel }) => {
      channel.binaryType = "arraybuffer";
      channel.onmessage = ({ data }) => channel.send(new Uint8Array(data).reverse()); // a guest sends all back
    };
    connections.set(id, pc);
  }
  return connections.get(id);
}

// use sends bytes over the owner's end of a channel, and reports what came back.
function use(channel, id) {
  const bytes = crypto.getRandomValues(new Uint8Array(16384));
  channel.binaryType = "arraybuffer";
  channel.onopen = () => channel.send(bytes);
  channel.onmessage = ({ data }) => {
    const back = new Uint8Array(data).reverse();
    const same = back.length === bytes.length && back.every((b, i) => b === bytes[i]);
    report("echo", { id, same, transport: socket.io.engine.transport.name });
  };
}
