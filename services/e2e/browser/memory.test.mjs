// Whether the browser SDK keeps anything of what is over. In a process of its own: other tests leave garbage.
import assert from "node:assert/strict";
import { test } from "node:test";
import WebSocket from "ws";
import { SignallingClient } from "../../../pkg/client/js/dist/client.mjs";

const gateways = process.env.GATEWAYS.split(",");

test("memory stays flat over 1,000 joins and leaves", async (t) => {
  const room = `memory ${Date.now()}`;
  const [a, b] = [gateways[0], gateways.at(-1)].map((url) => new SignallingClient(`${url}/ws`, { WebSocket, signalGrace: 100 }));
  let heard = 0;
  a.on("signal", () => heard++);
  await a.createRoom(room);
  const heapAfter = async (rounds) => {
    for (let i = 0; i < rounds; i++) {
      await b.joinRoom(room);
      void b.signal(room, a.id, { i });
      await b.leaveRoom(room);
    }
    await b.joinRoom(room);
    await b.signal(room, a.id, "the last"); // its grace ends after all the others'
    await b.leaveRoom(room);
    globalThis.gc();
    globalThis.gc();
    return process.memoryUsage().heapUsed;
  };
  const first = await heapAfter(1000);
  const last = await heapAfter(1000);
  t.diagnostic(`heap after 1,000 rounds: ${first} bytes, after 1,000 more: ${last - first} more`);
  assert.ok(heard > 0);
  assert.ok(last - first < 200_000, `the heap has grown by ${last - first} bytes, ${(last - first) / 1000} each round`);
  a.close();
  b.close();
});
