// The demo page in Chromium: what people do with it, and what they are told. Pictures of each state go to out/.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { audit, browser, cameras, control, gateways, until } from "./kit.mjs";
import { open, out } from "./tab.mjs";

let chromium;

before(async () => {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  chromium = await browser();
});
after(() => chromium?.close());

const Tab = { open: (gateway, options) => open(options?.from ?? chromium, gateway, options) };

describe("four people at two gateways", () => {
  const room = `team room ${Date.now() % 10_000} ✨`;
  const names = ["Ada", "Ben", "Cleo", "Dan"];
  let ada, ben, cleo, dan;
  let broken = false;
  // Each step goes on from the one before.
  const step = (what, run) =>
    test(what, async () => {
      assert.ok(!broken, "not reached");
      broken = true;
      await run();
      broken = false;
    });
  const others = (name) => names.filter((other) => other !== name);

  step("the start page", async () => {
    ada = await Tab.open(gateways[0], { name: "Ada" });
    await ada.page.getByLabel("Room", { exact: true }).fill(room);
    await ada.shoot("start");
  });

  step("the owner creates the room and sees the own camera", async () => {
    await ada.create(room);
    await ada.page.locator('.tile[data-client="you"][data-video="true"]').waitFor();
    assert.equal(new URL(ada.page.url()).hash, `#room=${encodeURIComponent(room)}`);
    await ada.shoot("alone");
  });

  step("others come by the link, over both gateways, and every pair is connected", async () => {
    const hash = new URL(ada.page.url()).hash;
    [ben, cleo, dan] = await Promise.all(
      ["Ben", "Cleo", "Dan"].map((name, i) => Tab.open(gateways[(i + 1) % 2], { name, hash })),
    );
    assert.equal(await ben.page.getByLabel("Room", { exact: true }).inputValue(), room);
    await ben.shoot("invited");
    for (const tab of [ben, cleo, dan]) {
      await tab.page.getByRole("button", { name: "Join room" }).click();
      await tab.inRoom();
    }
    await Promise.all([ada, ben, cleo, dan].map((tab) => tab.sees(...others(tab.name))));
  });

  step("chat reaches everybody from everybody", async () => {
    for (const tab of [ada, ben, cleo, dan]) await tab.say(`Hello from ${tab.name}`);
    for (const tab of [ada, ben, cleo, dan]) for (const name of names) await tab.hears(`Hello from ${name}`);
    await ben.shoot("call");
  });

  step("participants, their states, and the owner's mark", async () => {
    await cleo.page.getByRole("tab", { name: /^People/ }).click();
    const rows = cleo.page.locator("#people .person");
    assert.equal(await rows.count(), 4);
    assert.match(await rows.filter({ hasText: "Ada" }).textContent(), /owner.*connected/);
    assert.equal(await cleo.page.locator("#people .owner").count(), 1);
    await cleo.shoot("people");
  });

  step("only the owner can lock and remove; a locked room lets nobody in", async () => {
    assert.equal(await cleo.page.getByRole("button", { name: /^(Lock|Remove)/ }).count(), 0);
    await ada.page.getByRole("tab", { name: /^People/ }).click();
    await ada.page.getByRole("button", { name: "Lock the room" }).click();
    for (const tab of [ada, ben, cleo, dan]) {
      await tab.hears("The room is locked");
      await tab.page.locator("#locked").waitFor();
    }
    const eve = await Tab.open(gateways[1], { name: "Eve", hash: new URL(ada.page.url()).hash });
    await eve.page.getByRole("button", { name: "Join room" }).click();
    await eve.notice("does not let you in");
    await ada.shoot("owner");
    await ada.page.getByRole("button", { name: "Unlock the room" }).click();
    await eve.page.getByRole("button", { name: "Join room" }).click();
    await ada.sees("Ben", "Cleo", "Dan", "Eve");
    await ada.page.getByRole("button", { name: "Remove Eve from the room" }).click();
    await eve.notice("or has removed you");
    await ada.hears("Eve has gone.");
    await eve.page.getByRole("button", { name: "Join again" }).click();
    await eve.notice("does not let you in");
    await eve.close();
    await Promise.all([ada, ben, cleo, dan].map((tab) => tab.sees(...others(tab.name))));
    assert.equal(await ada.page.locator(".notice").count(), 0);
  });

  step("mute, camera off and on, screen", async () => {
    await dan.page.getByRole("button", { name: "Microphone" }).click();
    await ada.page.locator(".tile", { hasText: "Dan" }).locator(".mute").waitFor();
    await dan.page.getByRole("button", { name: "Camera" }).click();
    await ada.page.locator('.tile[data-video="false"]', { hasText: "Dan" }).waitFor();
    assert.equal(await dan.page.getByRole("button", { name: "Camera" }).getAttribute("aria-pressed"), "false");
    await dan.page.getByRole("button", { name: "Screen" }).click();
    await ada.page.locator('.tile.screen[data-video="true"]', { hasText: "Dan: screen" }).waitFor();
    await ada.page.waitForFunction(() => document.querySelector(".screen video").getVideoPlaybackQuality().totalVideoFrames > 1);
    await ada.shoot("screen");
    await dan.page.getByRole("button", { name: "Screen" }).click();
    await ada.page.locator(".tile.screen").waitFor({ state: "detached" });
    await dan.page.getByRole("button", { name: "Camera" }).click();
    await ada.sees("Ben", "Cleo", "Dan");
  });

  step("the inspector shows the frames, filters, pauses, and opens them", async () => {
    await dan.page.getByRole("tab", { name: "Inspector" }).click();
    const frames = dan.page.locator("#frames .frame");
    await frames.filter({ hasText: "welcome" }).waitFor();
    await dan.page.getByLabel("Show frames that contain").fill("room-join");
    await until("only matching frames", async () => (await frames.count()) === 2);
    await dan.page.getByLabel("Direction").selectOption("out");
    await until("only sent frames", async () => (await frames.count()) === 1);
    await frames.first().locator("summary").click();
    await frames.first().locator("pre", { hasText: '"event": "room-join"' }).waitFor();
    await dan.shoot("inspector");
    await dan.page.getByLabel("Direction").selectOption("");
    await dan.page.getByLabel("Show frames that contain").fill("");
    await dan.page.getByRole("button", { name: "Pause" }).click();
    const before = await frames.count();
    await dan.page.getByRole("button", { name: "Camera" }).click(); // makes signals
    await dan.page.locator("#tally", { hasText: /paused, [1-9]/ }).waitFor();
    assert.equal(await frames.count(), before);
    await dan.page.getByRole("button", { name: "Continue" }).click();
    await until("what came meanwhile", async () => (await frames.count()) > before);
    await dan.page.getByRole("button", { name: "Camera" }).click();
    await ada.sees("Ben", "Cleo", "Dan");
  });

  step("a tab is closed: the others see it go", async () => {
    await dan.close();
    await Promise.all([ada.sees("Ben", "Cleo"), ben.sees("Ada", "Cleo"), cleo.sees("Ada", "Ben")]);
    await ada.hears("Dan has gone.");
    dan = undefined;
  });

  step("the server dies and comes back: the call goes on, all come back, and are told", async () => {
    await control("kill");
    await ada.notice("Trying again by itself");
    // What was connected stays so without the server.
    await ben.sees("Ada", "Cleo");
    await ben.say("Still here");
    await ada.hears("Still here");
    await ada.shoot("offline");
    await control("start");
    await ada.hears("You own the room, so it was opened again");
    for (const tab of [ben, cleo]) await tab.hears("Back in the room");
    await Promise.all([ada.sees("Ben", "Cleo"), ben.sees("Ada", "Cleo"), cleo.sees("Ada", "Ben")]);
    assert.equal(await ada.page.locator('.tile[data-client="you"] .owner').count(), 1);
    assert.equal(await ada.page.locator(".notice").count(), 0);
    await ada.page.getByRole("tab", { name: /^Chat/ }).click();
    await ada.shoot("restarted");
  });

  step("the gateways are stopped one after the other: all come back, and are told", async () => {
    await control("roll");
    await control("start");
    await Promise.all([ada.sees("Ben", "Cleo"), ben.sees("Ada", "Cleo"), cleo.sees("Ada", "Ben")]);
  });

  step("the server is restarted in order: all come back, and are told", async () => {
    const told = ada.page.locator("#log li", { hasText: "so it was opened again" });
    const before = await told.count();
    await control("stop");
    await control("start");
    await until("the owner is told", async () => (await told.count()) > before);
    await Promise.all([ada.sees("Ben", "Cleo"), ben.sees("Ada", "Cleo"), cleo.sees("Ada", "Ben")]);
  });

  step("the owner closes the room: all others are told and cleaned up", async () => {
    await ada.page.getByRole("button", { name: "End call" }).click();
    await ada.notice("You left the room.");
    for (const tab of [ben, cleo]) {
      await tab.notice("The room was closed");
      assert.equal(await tab.page.locator(".tile").count(), 0);
      assert.equal(await tab.page.locator("#people .person").count(), 0);
    }
    await ben.shoot("closed");
    await ben.page.getByRole("button", { name: "Join again" }).click();
    await ben.notice("There is no room");
    await ben.shoot("unknown-room");
    await ben.page.getByRole("button", { name: "Create it" }).last().click();
    await ben.inRoom();
    await cleo.page.getByRole("button", { name: "Join again" }).click();
    await cleo.sees("Ben");
  });

  step("a taken name is told, and joining offered", async () => {
    await ada.page.getByLabel("Room", { exact: true }).fill(room);
    await ada.page.getByRole("button", { name: "Create room" }).click();
    await ada.notice("is taken");
    await ada.shoot("taken");
    await ada.page.getByRole("button", { name: "Join it" }).first().click();
    await ada.sees("Ben", "Cleo");
  });

  step("nothing went wrong in any tab", async () => {
    for (const tab of [ada, ben, cleo]) await tab.close();
  });
});

test("everything by keyboard", async () => {
  const tab = await Tab.open(gateways[0]);
  const focused = () => tab.page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
  const stops = [];
  for (let i = 0; i < 8; i++) {
    await tab.page.keyboard.press("Tab");
    stops.push(await focused());
  }
  assert.deepEqual(stops, ["Skip to the content", "room", "name", "with-camera", "with-microphone", "create", "join", "tab-inspector"]);
  await tab.page.getByLabel("Room", { exact: true }).fill(`keys ${Date.now()}`);
  await tab.page.keyboard.press("Enter");
  await tab.inRoom();
  assert.equal(await focused(), "call-title");
  assert.match(await tab.page.locator("#announcer").textContent(), /./);
  await tab.page.getByRole("tab", { name: /^Chat/ }).focus();
  await tab.page.keyboard.press("ArrowRight");
  assert.equal(await focused(), "tab-people");
  assert.ok(await tab.page.getByRole("tabpanel", { name: /^People/ }).isVisible());
  await tab.page.keyboard.press("End");
  assert.equal(await focused(), "tab-inspector");
  await tab.page.getByRole("button", { name: "Microphone" }).focus();
  const pressed = () => tab.page.getByRole("button", { name: "Microphone" }).getAttribute("aria-pressed");
  await until("the microphone is on", async () => (await pressed()) === "true");
  await tab.page.keyboard.press("Space");
  await until("the microphone is off", async () => (await pressed()) === "false");
  await tab.page.getByRole("button", { name: "End call" }).focus();
  await tab.page.keyboard.press("Enter");
  await tab.notice("You left the room.");
  assert.equal(await focused(), "start-title");
  await tab.close();
});

test("every control has a name, and text is legible", async () => {
  const tab = await Tab.open(gateways[0], { name: "Lee" });
  await tab.create(`names ${Date.now()}`);
  for (const scheme of ["light", "dark"]) {
    await tab.page.emulateMedia({ colorScheme: scheme });
    for (const name of ["tab-chat", "tab-people", "tab-inspector"]) {
      await tab.page.locator(`#${name}`).click();
      const faults = await tab.page.evaluate(audit);
      assert.deepEqual(faults, [], `${scheme}, ${name}`);
    }
  }
  await tab.close();
});

test("denied permission and a missing camera are told, and the call goes on without", async () => {
  const plain = await browser({ fake: false });
  try {
    const tab = await Tab.open(gateways[0], { name: "Mo", from: plain });
    await tab.create(`no devices ${Date.now()}`);
    await tab.notice("There is no microphone on this device");
    await tab.notice("There is no camera on this device");
    await tab.shoot("no-devices");
    await tab.close();
  } finally {
    await plain.close();
  }
  const strict = await browser({ fake: false, args: [cameras, "--deny-permission-prompts"] });
  try {
    const tab = await Tab.open(gateways[0], { name: "Nic", from: strict });
    await tab.create(`denied ${Date.now()}`);
    await tab.notice("The camera stays off: permission was denied");
    await tab.shoot("denied");
    await tab.close();
  } finally {
    await strict.close();
  }
});

test("the page's policy: nothing from elsewhere, nothing inline, and caches ask", async () => {
  const page = await fetch(`${gateways[0]}/`);
  const policy = page.headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.equal(page.headers.get("referrer-policy"), "no-referrer");
  assert.match(page.headers.get("permissions-policy"), /camera=\(self\)/);
  const again = await fetch(`${gateways[0]}/`, { headers: { "if-none-match": page.headers.get("etag") } });
  assert.equal(again.status, 304);
  const text = await page.text();
  assert.doesNotMatch(text, /<script(?![^>]* src=)|<style| style=| on\w+=/);
});
