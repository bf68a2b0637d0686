// The list of frames between this page and the server.
import { $, el } from "./dom.js";

/** Frames that are kept. Older ones are forgotten. */
const KEPT = 500;

/** Shows each frame that the client sends or receives. */
export function inspect(client) {
  const frames = []; // newest last
  let total = 0;
  let held = 0; // came while paused
  let paused = false;
  let due = false;

  const matches = (frame) => {
    const direction = $("direction").value;
    const words = $("filter").value.toLowerCase().split(/\s+/);
    const text = frame.text.toLowerCase();
    return (!direction || frame.direction === direction) && words.every((word) => text.includes(word));
  };
  const tally = () => {
    const bits = [total === 1 ? "1 frame" : `${total} frames`];
    if (total > frames.length) bits.push(`the last ${frames.length} are kept`);
    if (paused) bits.push(`paused, ${held} not shown yet`);
    $("tally").textContent = bits.join(" · ");
  };
  const draw = () => {
    due = false;
    tally();
    if (paused || $("panel-inspector").hidden) return;
    const list = $("frames");
    for (const frame of frames) {
      if (frame.row || !matches(frame)) continue;
      frame.row = row(frame);
      list.prepend(frame.row);
    }
  };
  const later = () => {
    if (!due) requestAnimationFrame(draw); // once for all that come together
    due = true;
  };
  const redraw = () => {
    for (const frame of frames) frame.row = null;
    $("frames").replaceChildren();
    later();
  };

  client.on("frame", ({ direction, text }) => {
    frames.push({ direction, text, at: new Date(), row: null });
    total++;
    if (paused) held++;
    if (frames.length > KEPT) frames.shift().row?.remove();
    later();
  });
  $("filter").addEventListener("input", redraw);
  $("direction").addEventListener("change", redraw);
  $("clear").addEventListener("click", () => {
    frames.length = total = held = 0;
    redraw();
  });
  $("pause").addEventListener("click", () => {
    paused = !paused;
    held = 0;
    $("pause").setAttribute("aria-pressed", paused);
    $("pause").textContent = paused ? "Continue" : "Pause";
    later();
  });
  return later;
}

function row({ direction, text, at }) {
  const frame = JSON.parse(text);
  const { event, ...rest } = frame;
  const body = el("pre", { class: "body" });
  const details = el(
    "details",
    {
      on: {
        // The long form is made only when somebody looks.
        toggle: () => {
          body.textContent = JSON.stringify(frame, null, 2).replaceAll("\\r\\n", "\n    ");
        },
      },
    },
    el(
      "summary",
      {},
      el("span", { class: "arrow", "data-direction": direction, "aria-hidden": "true", text: direction === "in" ? "↓" : "↑" }),
      el("span", { class: "quiet", text: direction === "in" ? "received" : "sent" }),
      el("code", { class: "event", text: event }),
      el("span", { class: "gist", text: gist(rest) }),
      el("time", { text: time(at) }),
    ),
    body,
  );
  return el("li", { class: "frame" }, details);
}

/** The gist of a frame in a few words. */
function gist({ data, ...rest }) {
  const bits = [];
  if (typeof data?.type === "string") bits.push(data.type);
  else if (typeof data?.candidate === "string") bits.push(data.candidate.split(" ").slice(4, 8).join(" "));
  else if (data !== undefined) bits.push(JSON.stringify(data) === "{}" ? "end of candidates" : "data");
  const fields = Object.entries(rest)
    .filter(([key]) => key !== "room")
    .map(([key, value]) => `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [...bits, ...fields].join(" · ");
}

const time = (at) => `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
