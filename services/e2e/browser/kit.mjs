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

/** Runs in the page: controls without a name, and text whose contrast is below WCAG 2.2 AA (4.5:1). */
export function audit() {
  const faults = [];
  const visible = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest(".quiet");
  for (const control of document.querySelectorAll("button, input, select, summary, [tabindex='0']")) {
    const name = control.ariaLabel || control.textContent.trim() || control.labels?.[0]?.textContent.trim();
    if (visible(control) && !name) faults.push(`no name: ${control.outerHTML.slice(0, 80)}`);
  }
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a] = rgba(getComputedStyle(e).backgroundColor);
      if (a > 150) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !visible(element) || element.closest("button:disabled, .skip, script")) continue;
    const fore = luminance(rgba(getComputedStyle(element).color).slice(0, 3));
    const back = luminance(behind(element));
    const contrast = (Math.max(fore, back) + 0.05) / (Math.min(fore, back) + 0.05);
    if (contrast < 4.5) faults.push(`${contrast.toFixed(1)}:1 ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return faults;
}
