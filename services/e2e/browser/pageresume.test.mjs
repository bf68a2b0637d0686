// The demo page in Chromium, at gateways that keep sessions, stop and die.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { browser, control, gateways } from "./kit.mjs";
import { open, out } from "./tab.mjs";

let chromium;

before(async () => {
  mkdirSync(out, { recursive: true });
  chromium = await browser();
});
after(() => chromium?.close());

test("the owner's gateway dies and comes back: the call goes on, and nobody is told", async () => {
  const room = `kept ${Date.now() % 10_000}`;
  const ada = await open(chromium, gateways[0], { name: "Ada" });
  const ben = await open(chromium, gateways[1], { name: "Ben" });
  await ada.create(room);
  await ben.join(room);
  await Promise.all([ada.sees("Ben"), ben.sees("Ada")]);
  await control("kill/0");
  await ada.notice("You keep your place in the room");
  await ada.shoot("reconnecting");
  await ben.say("Still here");
  await ada.hears("Still here");
  await control("start/0");
  await ada.hears("You are still in the room");
  assert.equal(await ada.page.locator(".notice").count(), 0);
  assert.equal(await ada.page.locator('.tile[data-client="you"] .owner').count(), 1);
  await ada.page.getByRole("tab", { name: /^People/ }).click();
  await ada.page.getByRole("button", { name: "Lock the room" }).click();
  await ben.hears("The room is locked");
  await Promise.all([ada.sees("Ben"), ben.sees("Ada")]);
  await ada.page.getByRole("tab", { name: /^Chat/ }).click();
  await ada.shoot("resumed");
  for (const tab of [ada, ben]) assert.equal(await tab.page.locator("#log li", { hasText: "has gone" }).count(), 0);
  for (const tab of [ada, ben]) await tab.close();
});
