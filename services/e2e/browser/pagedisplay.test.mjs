// The demo page in Chromium, at gateways that ask for tokens and pass on who they are made out to.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { browser, gateways } from "./kit.mjs";
import { open, out } from "./tab.mjs";

const tokens = JSON.parse(process.env.TOKENS);
let chromium;

before(async () => {
  mkdirSync(out, { recursive: true });
  chromium = await browser();
});
after(() => chromium?.close());

test("people are called what their tokens say", async () => {
  const room = `displays ${Date.now() % 10_000}`;
  const alice = await open(chromium, gateways[0], { name: "Queen", hash: `#token=${tokens.Alice}` });
  const bob = await open(chromium, gateways[1], { hash: `#room=${encodeURIComponent(room)}&token=${tokens.Bob}` });
  await alice.create(room);
  assert.ok(!alice.page.url().includes(tokens.Alice), "a link that is copied has no token");
  await bob.page.getByRole("button", { name: "Join room" }).click();
  await bob.inRoom();
  await Promise.all([alice.sees("Bob"), bob.sees("Alice")]);
  await bob.page.getByRole("tab", { name: /^People/ }).click();
  await bob.page.locator(".person", { hasText: "Alice" }).filter({ hasText: "calls themself “Queen”" }).waitFor();
  await bob.page.locator(".person", { hasText: "Bob (you)" }).waitFor();
  await bob.shoot("displays");
  for (const tab of [alice, bob]) await tab.close();
});
