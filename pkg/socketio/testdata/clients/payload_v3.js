// The binary payload form of EIO=3, which only browsers use, against the published parser: Node's client 2 polls in base64.
"use strict";

const assert = require("node:assert/strict");
const parser = require("engine.io-parser-2");

const decode = (body) => {
  const packets = [];
  parser.decodePayload(body, (packet) => { packets.push(packet); });
  return packets;
};

async function binaryPayload({ url }) {
  const base = url + "/socket.io/?EIO=3&transport=polling";
  const open = decode(await (await fetch(base)).text());
  assert.deepEqual(open.map((p) => p.type), ["open", "message"]);
  const session = base + "&sid=" + JSON.parse(open[0].data).sid;
  const packets = [
    { type: "message", data: '2["echo","日👩"]' },
    { type: "message", data: '51-["echo","é",{"_placeholder":true,"num":0}]' },
    { type: "message", data: Buffer.from([0, 4, 255, 0x1e]) },
  ];
  const body = await new Promise((resolve) => parser.encodePayloadAsBinary(packets, resolve));
  const posted = await fetch(session, { method: "POST", body, headers: { "Content-Type": "application/octet-stream" } });
  assert.equal(await posted.text(), "ok");
  const polled = await fetch(session);
  assert.equal(polled.headers.get("content-type"), "application/octet-stream");
  assert.deepEqual(decode(Buffer.from(await polled.arrayBuffer())), packets);
  await fetch(session, { method: "POST", body: "1:1" });
}

module.exports = { binaryPayload };
