// A call through a TURN server: ICE servers and credentials come from the gateway, and nothing but relays may be used.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, gateways } from "./kit.mjs";

let chromium;
before(async () => {
  chromium = await browser();
});
after(() => chromium?.close());

async function member(room, create) {
  const page = await (await chromium.newContext()).newPage();
  await page.goto(`${gateways[0]}/client.mjs`);
  await page.evaluate(
    async ({ room, create }) => {
      const { PeerMesh, SignallingClient } = await import("/client.mjs");
      const client = new SignallingClient();
      const mesh = new PeerMesh(client, room, { configuration: { iceTransportPolicy: "relay" } });
      globalThis.messages = [];
      globalThis.renewed = [];
      client.on("ice-servers", ({ iceServers }) => renewed.push(iceServers));
      mesh.on("message", ({ data }) => messages.push(data));
      globalThis.until = async (check) => {
        const end = Date.now() + 30_000;
        while (!(await check())) {
          if (Date.now() > end) throw new Error(`not within 30 s: ${check}`);
          await new Promise((resume) => setTimeout(resume, 20));
        }
      };
      Object.assign(globalThis, { client, mesh });
      await (create ? client.createRoom(room) : client.joinRoom(room));
    },
    { room, create },
  );
  return page;
}

test("two tabs talk through the relay, with the gateway's credentials", async () => {
  const pages = [await member("relayed", true), await member("relayed", false)];
  for (const page of pages) {
    await page.evaluate(() => until(() => [...mesh.peers.values()].some((peer) => peer.channels.size > 0)));
  }
  await pages[0].evaluate(() => mesh.send("through the relay"));
  await pages[1].evaluate(() => until(() => messages.includes("through the relay")));
  for (const page of pages) {
    const kinds = await page.evaluate(async () => {
      const [peer] = mesh.peers.values();
      let stats, used;
      await until(async () => {
        stats = [...(await peer.connection.getStats()).values()];
        return (used = stats.find((s) => s.type === "candidate-pair" && s.nominated && s.state === "succeeded"));
      });
      return [used.localCandidateId, used.remoteCandidateId].map((id) => stats.find((s) => s.id === id).candidateType);
    });
    // The other side's relay may be seen by its packets before its candidate has come (RFC 8445 section 7.3.1.3).
    assert.equal(kinds[0], "relay");
    assert.ok(["relay", "prflx"].includes(kinds[1]), kinds[1]);
  }
});

test("credentials are renewed, and new connections use them", async () => {
  const page = await member("renewed", true);
  const first = await page.evaluate(() => client.iceServers);
  await page.evaluate(() => until(() => renewed.length > 0));
  const [before, now] = [first, await page.evaluate(() => client.iceServers)].map((list) => list[0].username);
  assert.notEqual(before, now);
});
