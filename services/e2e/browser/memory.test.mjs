// Whether the browser SDK keeps anything of what is over. In a process of its own: other tests leave garbage.
import assert from "node:assert/strict";
import { test } from "node:test";
import WebSocket from "ws";
import { SignallingClient } from "../../../pkg/client/js/dist/client.mjs";

/** Bytes that 1,000 rounds may add: less than any object for each of them would. */
const FLAT = 50_000;
const gateways = process.env.GATEWAYS.split(",");

test("memory stays flat over thousands of joins and leaves", async (t) => {
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
  try {
    // Caches fill at first, and some of them late. What leaks grows every time.
    const growth = [];
    let before = await heapAfter(1000);
    do {
      const now = await heapAfter(1000);
      growth.push(now - before);
      before = now;
    } while (growth.at(-1) > FLAT && growth.length < 8);
    t.diagnostic(`the heap is ${before} bytes; growth in each 1,000 rounds: ${growth.join(", ")}`);
    assert.ok(heard > 0);
    assert.ok(growth.at(-1) <= FLAT, `the heap grows: ${growth.join(", ")}`);
  } finally {
    a.close();
    b.close();
  }
});
