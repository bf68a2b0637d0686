// The page on the admin addresses of gateways, rooms and the one process. Pictures go to out/.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { audit, browser, control, gateways, until } from "./kit.mjs";

const out = new URL("out/", import.meta.url).pathname;
const admins = process.env.ADMINS.split(",");
const evil = `<img src=x onerror="document.title='hacked'">\u202e\u001b[31m</bdi>`;
const big = "lesson 3b";

let chromium;
const clients = [];

before(async () => {
  mkdirSync(out, { recursive: true });
  chromium = await browser({ fake: false });
  const owner = await Client.open(0);
  await owner.ask({ event: "room-create", room: big, options: { password: "a secret word", capacity: 40, metadata: { topic: "<b>fractions</b>" } } });
  for (let n = 1; n < 20; n++) await (await Client.open(n)).ask({ event: "room-join", room: big, password: "a secret word" });
  for (const [n, room] of ["stand-up", "design review", "support/4711", "support/4712", evil].entries()) {
    for (let m = 0; m < 2 + (n % 3); m++) {
      await (await Client.open(m)).ask({ event: m ? "room-join" : "room-create", room });
    }
  }
});
after(async () => {
  for (const client of clients) client.close();
  await chromium?.close();
});

/** A client of the native door. */
class Client {
  static async open(n) {
    const client = new Client();
    clients.push(client);
    client.ws = new WebSocket(`${gateways[n % gateways.length].replace("http", "ws")}/ws`);
    client.ws.on("error", () => {}); // the site stops at the end
    client.id = (await client.next((frame) => frame.event === "welcome")).clientId;
    return client;
  }

  next(wanted) {
    return new Promise((resolve) => {
      const take = (text) => {
        const frame = JSON.parse(text);
        if (!wanted(frame)) return;
        this.ws.off("message", take);
        resolve(frame);
      };
      this.ws.on("message", take);
    });
  }

  async ask(command) {
    const answer = this.next((frame) => frame.id === 1);
    this.ws.send(JSON.stringify({ id: 1, ...command }));
    const frame = await answer;
    assert.match(frame.event, /^room-(created|joined)$/, JSON.stringify(frame));
  }

  close() {
    this.ws.close();
  }
}

/** Opens the page of an admin address and waits until it is live. problems are what it reports as errors. */
async function open(address, { scheme = "light", viewport = { width: 1280, height: 900 }, hash = "" } = {}) {
  const context = await chromium.newContext({ colorScheme: scheme, viewport });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  page.problems = [];
  page.elsewhere = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
  page.on("request", (request) => new URL(request.url()).origin === address || page.elsewhere.push(request.url()));
  await page.goto(`${address}/${hash}`);
  await page.locator("#pulse[data-state=live]").waitFor();
  return page;
}

const members = async (page, room) => {
  const row = page.locator("#rooms-rows tr", { has: page.getByRole("button", { name: `Members of ${room}` }) });
  return parseInt(await row.locator("td").nth(1).innerText(), 10);
};

for (const [n, address] of admins.entries()) {
  test(`the page of process ${n}`, async () => {
    const page = await open(address, { scheme: n % 2 ? "dark" : "light" });
    const { gateway, instance } = await (await fetch(`${address}/live.json`)).json();
    const title = await page.locator("h1").innerText();
    for (const process of [gateway, instance]) if (process) assert.ok(title.includes((gateway ?? instance).id), `${title}, not ${process.id}`);
    assert.equal(await page.locator("#grid li").count(), instance ? 64 : 0);
    if (instance) assert.equal(await page.locator('#grid li[data-state="active"]').count(), 64);

    // As it is now.
    await until("all members", async () => (await members(page, big)) === 20);
    const late = await Client.open(0);
    await late.ask({ event: "room-join", room: big, password: "a secret word" });
    await until("one member more", async () => (await members(page, big)) === 21);
    await page.getByRole("button", { name: `Members of ${big}` }).click();
    await page.locator("#room-rows").getByText(late.id).waitFor();
    assert.match(await page.locator("#room-facts").innerText(), /"topic":"<b>fractions<\/b>"/);
    await page.screenshot({ path: `${out}live-${process.env.SITE}-${n}.png`, fullPage: true });
    late.close();
    await page.locator("#room-rows").getByText(late.id).waitFor({ state: "detached" });
    await until("as before", async () => (await members(page, big)) === 20);

    // Names are text, and what is in them is seen.
    await page.getByLabel("Names that begin with").fill("<img");
    await until("one room", async () => (await page.locator("#rooms-rows tr").count()) === 1);
    const shown = await page.locator("#rooms-rows button").innerText();
    assert.equal(shown, evil.replace("\u202e", "\\u{202e}").replace("\u001b", "\\u{1b}"));
    await page.locator("#rooms-rows button").click();
    await page.locator("#room-title", { hasText: "onerror" }).waitFor();
    assert.equal(await page.locator("main img, main script, main b").count(), 0);
    assert.doesNotMatch(await page.title(), /hacked/);
    await page.getByLabel("Names that begin with").fill("no such name");
    await page.getByText("no room has such a name").waitFor();
    await page.getByLabel("Names that begin with").fill("");

    assert.ok(!(await page.content()).includes("a secret word"));
    assert.deepEqual(page.problems, []);
    assert.deepEqual(page.elsewhere, []);
    await page.context().close();
  });
}

test("every control has a name, text is legible, and it fits a phone", async () => {
  for (const address of new Set([admins[0], admins.at(-1)])) {
    for (const scheme of ["light", "dark"]) {
      const page = await open(address, { scheme, hash: `#${encodeURIComponent(big)}` });
      await page.locator("#room-rows .id").first().waitFor();
      assert.deepEqual(await page.evaluate(audit), [], scheme);
      await page.setViewportSize({ width: 390, height: 844 });
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `it is ${width} wide on a phone`);
      await page.screenshot({ path: `${out}live-${process.env.SITE}-phone-${scheme}.png`, fullPage: true });
      await page.context().close();
    }
  }
});

test("the page only reads: nothing from elsewhere, nothing inline, no framing, no other method", async () => {
  for (const path of ["/", "/live.json", "/live.js", "/live.css", "/live.svg"]) {
    const answer = await fetch(admins[0] + path);
    assert.equal(answer.status, 200, path);
    const policy = answer.headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'.*frame-ancestors 'none'.*require-trusted-types-for 'script'/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.equal(answer.headers.get("access-control-allow-origin"), null);
    assert.doesNotMatch(await answer.text(), path === "/" ? /<script(?![^>]* src=)|<style| style=| on\w+=/ : /innerHTML/);
    for (const method of ["POST", "PUT", "DELETE"]) assert.equal((await fetch(admins[0] + path, { method })).status, 405, `${method} ${path}`);
  }
});

test("a process that ends is seen to", async () => {
  const pages = await Promise.all(admins.map((address) => open(address)));
  await control("stop");
  await Promise.all(pages.map((page) => page.locator("#pulse[data-state=lost]", { hasText: "no answer for" }).waitFor()));
  await pages[0].screenshot({ path: `${out}live-${process.env.SITE}-lost.png` });
});
