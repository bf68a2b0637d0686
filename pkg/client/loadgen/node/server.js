// The peer of `make bench-compare`: the contract's rooms and signals on npm's socket.io, as a Node programmer would write
// them. One process, in memory, no checks beyond the contract's.
"use strict";
const http = require("http").createServer();
const io = new (require("socket.io").Server)(http, { maxHttpBufferSize: 256 * 1024, pingInterval: +process.env.PING_INTERVAL || 25000 });
const rooms = new Map(); // name → { owner, members: Set of socket ids }

const bad = (socket, room) => {
  if (typeof room === "string" && room.length > 0 && Buffer.byteLength(room) <= 256) return false;
  socket.emit("error", "room is not a name", "bad-request");
  return true;
};

function leave(socket, name, answer) {
  const room = rooms.get(name);
  if (!room || !room.members.delete(socket.id)) {
    if (answer) socket.emit("not-in-room", name);
    return;
  }
  socket.leave(name);
  if (room.owner === socket.id) {
    rooms.delete(name);
    io.to(name).emit("room-left", name, true);
    io.socketsLeave(name);
  } else {
    io.to(name).emit("client-left", name, socket.id);
  }
  if (answer) socket.emit("room-left", name, false);
}

io.on("connection", (socket) => {
  const joined = new Set();
  socket.on("room-create", (name) => {
    if (bad(socket, name)) return;
    if (rooms.has(name)) return void socket.emit("room-exists", name);
    rooms.set(name, { owner: socket.id, members: new Set([socket.id]) });
    joined.add(name);
    socket.join(name);
    socket.emit("room-created", name);
  });
  socket.on("room-join", (name) => {
    if (bad(socket, name)) return;
    const room = rooms.get(name);
    if (!room) return void socket.emit("room-not-exists", name);
    const clients = [...room.members].filter((id) => id !== socket.id);
    if (!room.members.has(socket.id)) {
      socket.to(name).emit("client-joined", name, socket.id);
      room.members.add(socket.id);
      joined.add(name);
      socket.join(name);
    }
    socket.emit("room-joined", name, room.owner, clients);
  });
  socket.on("room-leave", (name) => {
    if (bad(socket, name)) return;
    joined.delete(name);
    leave(socket, name, true);
  });
  socket.on("signal-send", (name, target, data) => {
    if (bad(socket, name)) return;
    const room = rooms.get(name);
    if (!room || !room.members.has(socket.id)) return void socket.emit("not-in-room", name);
    const to = room.members.has(target) && io.sockets.sockets.get(target);
    if (!to) return void socket.emit("target-not-found", name, target);
    to.emit("signal-receive", name, socket.id, data === undefined ? null : data);
  });
  socket.on("disconnect", () => joined.forEach((name) => leave(socket, name, false)));
});

http.listen(+process.env.PORT || 0, "127.0.0.1", () => console.log("listening " + http.address().port));
