// What the scripts share.
import { chromium } from "playwright-core";

/** Few pictures a second: every tab encodes its own for each other one, without a graphics card. */
export const cameras = "--use-fake-device-for-media-stream=fps=5";

export const gateways = process.env.GATEWAYS.split(",");

/** Asks the test around to `stop`, `roll`, `kill` or `start` the servers, and waits until it is done. */
export async function control(what) {
  const response = await fetch(`${process.env.CONTROL}/${what}`, { method: "POST" });
  if (!response.ok) throw new Error(`${what}: ${await response.text()}`);
}

/** Starts Chromium with fake devices, in which machines without a network can call each other too. */
export async function browser(options) {
  const server = await browserServer(options);
  const connected = await chromium.connect(server.wsEndpoint());
  const { close } = connected;
  return Object.assign(connected, {
    close: () => close.call(connected).then(() => server.close()),
    /** Stops all its processes in their tracks, or lets them go on: it is the leader of their group. */
    freeze: (on) => process.kill(-server.process().pid, on ? "SIGSTOP" : "SIGCONT"),
  });
}

function browserServer({ args = [], fake = true } = {}) {
  return chromium.launchServer({
    executablePath: process.env.CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--autoplay-policy=no-user-gesture-required",
      "--allow-loopback-in-peer-connection",
      ...(fake ? [cameras, "--use-fake-ui-for-media-stream"] : []),
      ...args,
    ],
  });
}

/** Waits until the function returns something true, and returns that. It is asked again after each turn of the clock. */
export async function until(what, check, limit = 45_000) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${limit} ms`);
    await new Promise((resume) => setTimeout(resume, 25));
  }
}
