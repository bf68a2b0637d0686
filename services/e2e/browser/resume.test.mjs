// The browser SDK under Node, against real gateways that keep sessions, and stop or die.
import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { control, until } from "./kit.mjs";
import { address, aRoom, client, closeAll, code, saw, unhandled } from "./sdk.mjs";

afterEach(closeAll);
after(() => assert.deepEqual(unhandled, []));

const everywhere = [address(0), address(1)];

/** Sends numbers, some hundred a second, until it is told to stop; returns how many, and which of them nobody knows of. */
async function count(from, to, room, goOn) {
  const sent = [];
  for (; goOn() && from.state !== "closed"; await new Promise((resume) => setTimeout(resume, 3))) {
    sent.push(from.signal(room, to.id, sent.length).then(() => true, (error) => !code("unavailable")(error)));
  }
  const known = await Promise.all(sent);
  return { all: upTo(sent.length), doubted: upTo(sent.length).filter((n) => !known[n]) };
}

/** Three in a room: the owner, whose gateway is to end, and one at each gateway. */
async function meet() {
  const room = aRoom();
  const [owner, same, other] = [client(everywhere), client(everywhere), client(1)];
  await owner.createRoom(room, { metadata: "of the room" });
  await same.joinRoom(room);
  await other.joinRoom(room);
  for (const c of [owner, same]) await saw(c, "client-joined", { room, clientId: other.id });
  const data = new Map([owner, other].map((c) => [c, []]));
  for (const [c, list] of data) c.on("signal", (event) => list.push(event.data));
  return { room, owner, same, other, data };
}

const upTo = (n) => Array.from({ length: n }, (_, i) => i);

for (const [how, missed] of [["stop", false], ["kill", true]]) {
  test(`a gateway is told to ${how}: its clients are the same ones at another, and nobody is told`, async () => {
    const { room, owner, same, other, data } = await meet();
    const ids = [owner.id, same.id];
    let going = true;
    const counting = [count(owner, other, room, () => going), count(other, owner, room, () => going)];
    await until("it flows", () => [...data.values()].every((list) => list.length > 20));
    await control(`${how}/0`);
    for (const c of [owner, same]) assert.equal((await saw(c, "resumed")).missed, missed);
    const before = [...data.values()].map((list) => list.length);
    await until("it flows again", () => [...data.values()].every((list, i) => list.length > before[i] + 20));
    going = false;
    const sent = await Promise.all(counting);
    const lists = [data.get(other), data.get(owner)];
    await until("the last", () => lists.every((list, i) => list.at(-1) === sent[i].all.at(-1)));
    if (!missed) {
      assert.deepEqual(lists, sent.map(({ all }) => all)); // each once and in order
      assert.deepEqual(sent.flatMap(({ doubted }) => doubted), []);
    } else {
      // What the dead gateway had taken and not sent on is told; what others had sent to it may come twice.
      assert.deepEqual(sent[0].all.filter((n) => !lists[0].includes(n) && !sent[0].doubted.includes(n)), []);
      assert.deepEqual([...new Set(lists[1])].sort((a, b) => a - b), sent[1].all);
      assert.deepEqual(sent[1].doubted, []);
    }

    assert.deepEqual([owner.id, same.id], ids);
    for (const c of [owner, same, other]) {
      const odd = c.log.filter((e) => ["client-left", "room-left", "room-gone", "owner-changed", "error", "closed"].includes(e.name));
      assert.deepEqual(odd, []);
      assert.equal(c.log.filter((e) => e.name === "open").length, 1);
      assert.equal(c.rooms.get(room).options.metadata, "of the room");
    }
    await owner.updateRoom(room, { locked: true }); // it still owns it
    await saw(other, "room-updated", { room });
    assert.deepEqual((await other.joinRoom(room)).clients, ids);
    await same.leaveRoom(room);
    await saw(owner, "client-left", { room, clientId: ids[1] });
    await control("start/0");
  });
}

test("a socket breaks, again and again, while commands are on their way", async () => {
  const { room, owner, other, data } = await meet();
  const id = owner.id;
  const rooms = [];
  let n = 0;
  for (let round = 0; round < 8; round++) {
    const own = aRoom();
    rooms.push(own);
    const made = owner.createRoom(own);
    for (let i = 0; i < 10; i++) void owner.signal(room, other.id, n++);
    owner.cut();
    for (let i = 0; i < 10; i++) void owner.signal(room, other.id, n++);
    assert.equal((await made).ownerId, id);
    if (round % 2) await assert.rejects(owner.createRoom(own), code("room-exists"));
  }
  await until("all", () => data.get(other).length >= n);
  assert.deepEqual(data.get(other), upTo(n));
  assert.deepEqual([...owner.rooms.keys()].sort(), [room, ...rooms].sort());
  assert.equal(owner.id, id);
  assert.ok(!other.log.some((e) => e.name === "client-left"));
  for (const own of rooms) await assert.rejects(other.createRoom(own), code("room-exists"));
});

test("without a session the client comes back as a new one, and says so", async () => {
  const { room, owner, same, other } = await meet();
  const id = same.id;
  const plain = client(0, { resume: false });
  await plain.joinRoom(room);
  await saw(other, "client-joined", { clientId: plain.id });
  const was = plain.id;
  plain.cut();
  assert.equal((await saw(plain, "down")).resumable, false);
  await saw(plain, "room-joined", { restored: true });
  assert.notEqual(plain.id, was);
  assert.equal(plain.log.filter((e) => e.name === "open").at(-1).reconnected, true);
  await saw(other, "client-joined", { clientId: plain.id });
  // Everybody else's session is the same; that of the old connection ends with its window, or its owner's word.
  assert.equal(same.id, id);
  owner.close();
  await saw(other, "room-left", { room, kicked: true });
});
