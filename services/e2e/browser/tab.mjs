// The demo page as one person uses it.
import assert from "node:assert/strict";
import { until } from "./kit.mjs";

/** Where pictures go. */
export const out = new URL("out/", import.meta.url).pathname;
const looks = {
  "desktop-light": { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  "desktop-dark": { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  "phone-light": { viewport: { width: 390, height: 844 }, colorScheme: "light", deviceScaleFactor: 2, hasTouch: true },
  "phone-dark": { viewport: { width: 390, height: 844 }, colorScheme: "dark", deviceScaleFactor: 2, hasTouch: true },
};

/** One person's tab. What the page reports as an error, or as a breach of its policy, fails the test at its end. */
class Tab {
  problems = [];

  static async open(browser, gateway, { name, look = "desktop-light", hash = "" } = {}) {
    const tab = new Tab();
    tab.name = name;
    tab.context = await browser.newContext(looks[look]);
    tab.context.setDefaultTimeout(45_000);
    tab.page = await tab.context.newPage();
    tab.page.on("pageerror", (error) => tab.problems.push(String(error)));
    tab.page.on("console", (message) => {
      const expected = /WebSocket connection to .* failed|ERR_CONNECTION_REFUSED/; // the server is being restarted
      if (message.type() === "error" && !expected.test(message.text())) tab.problems.push(message.text());
    });
    await tab.page.goto(`${gateway}/${hash}`);
    await tab.page.locator("#status[data-state=open]").waitFor();
    if (name) await tab.page.getByLabel("Your name").fill(name);
    return tab;
  }

  async create(room) {
    await this.page.getByLabel("Room", { exact: true }).fill(room);
    await this.page.getByRole("button", { name: "Create room" }).click();
    await this.inRoom();
  }

  async join(room) {
    await this.page.getByLabel("Room", { exact: true }).fill(room);
    await this.page.getByRole("button", { name: "Join room" }).click();
    await this.inRoom();
  }

  inRoom() {
    return this.page.getByRole("group", { name: "Call controls" }).waitFor();
  }

  /** Waits until this page shows exactly these others as connected, each with moving pictures. */
  async sees(...names) {
    await until(`${this.name} sees ${names.join(", ")}`, async () => {
      const tiles = await this.tiles();
      const good = tiles.filter((tile) => tile.state === "connected" && tile.moving).map((tile) => tile.name);
      return tiles.length === names.length && names.every((name) => good.includes(name));
    }).catch(async (error) => {
      await this.page.screenshot({ path: `${out}failed-${this.name}.png` });
      throw new Error(`${error.message}; it shows ${JSON.stringify(await this.tiles())}`);
    });
  }

  /** The tiles of the others: name, state, and whether frames were decoded since the last look. */
  tiles() {
    return this.page.evaluate(() => {
      globalThis.seen ??= new WeakMap();
      return [...document.querySelectorAll('.tile:not([data-client="you"])')].map((tile) => {
        const video = tile.querySelector("video");
        const frames = video.getVideoPlaybackQuality().totalVideoFrames;
        const moving = frames > (globalThis.seen.get(video) ?? 0) && video.videoWidth > 0;
        if (!globalThis.seen.has(video)) globalThis.seen.set(video, frames);
        return { name: tile.querySelector(".name").textContent, state: tile.dataset.state, moving };
      });
    });
  }

  async say(text) {
    await this.page.getByRole("tab", { name: /^Chat/ }).click();
    await this.page.getByLabel("Message to everybody in the room").fill(text);
    await this.page.keyboard.press("Enter");
  }

  hears(text) {
    return this.page.locator("#log li", { hasText: text }).first().waitFor({ state: "attached" });
  }

  notice(text) {
    return this.page.locator(".notice", { hasText: text }).waitFor();
  }

  /** Takes a picture of the page in each look. */
  async shoot(name) {
    for (const [look, { viewport, colorScheme }] of Object.entries(looks)) {
      await this.page.setViewportSize(viewport);
      await this.page.emulateMedia({ colorScheme });
      await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      const overflow = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${name} in ${look} is ${overflow} px too wide`);
      const cut = await this.page.evaluate(() =>
        [...document.querySelectorAll(".side, .panel, .card, .controls, .notice, .tabs")]
          .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth)
          .map((e) => e.className),
      );
      assert.deepEqual(cut, [], `${name} in ${look}: cut off at the side`);
      await this.page.screenshot({ path: `${out}${name}-${look}.png` });
    }
    await this.page.setViewportSize(looks["desktop-light"].viewport);
    await this.page.emulateMedia({ colorScheme: "light" });
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.problems, []);
  }
}

export const open = Tab.open;
