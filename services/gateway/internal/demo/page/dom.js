// Small helpers for the document. Text from other people goes in as text only.

export const $ = (id) => document.getElementById(id);

/** Makes an element: el("li", { class: "x", text: "hello", on: { click } }, child, …). */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") element.textContent = value;
    else if (key === "on") for (const [type, fn] of Object.entries(value)) element.addEventListener(type, fn);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Shows a message above everything else until it is dismissed or replaced: one of each `about`. */
export function notify(kind, about, text, action) {
  forget(about);
  const close = () => {
    forget(about);
    $("content").focus({ preventScroll: true }); // the button that had the focus is gone
  };
  const act = action && (() => {
    close();
    action.run();
  });
  $("notices").append(
    el(
      "div",
      { class: "notice", "data-kind": kind, "data-about": about },
      el("p", { text }),
      act ? el("button", { class: "small", text: action.label, on: { click: act } }) : null,
      el("button", { class: "small plain", "aria-label": "Dismiss this message", text: "✕", on: { click: close } }),
    ),
  );
  say(text, kind === "error");
}

/** Takes the message of that kind away. */
export function forget(about) {
  document.querySelector(`.notice[data-about="${about}"]`)?.remove();
}

/** Tells screen readers, at once if it is urgent. */
export function say(text, urgent = false) {
  const region = $(urgent ? "alarm" : "announcer");
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text)); // so that the same text twice is told twice
}

/** A tab list that works as screen readers expect: one stop for Tab, arrows between the tabs. */
export function tabs(list, shown) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const select = (tab) => {
    for (const other of all) {
      const on = other === tab;
      other.setAttribute("aria-selected", on);
      other.tabIndex = on ? 0 : -1;
      $(other.getAttribute("aria-controls")).hidden = !on;
    }
    shown(tab.id);
  };
  for (const tab of all) tab.addEventListener("click", () => select(tab));
  list.addEventListener("keydown", (event) => {
    const visible = all.filter((tab) => !tab.hidden);
    const here = visible.indexOf(document.activeElement);
    const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: -1 }[event.key];
    if (here < 0 || to === undefined) return;
    event.preventDefault();
    const tab = visible.at(to % visible.length);
    tab.focus();
    select(tab);
  });
  return (id) => select($(id));
}

/** A person's colour, always the same. */
export function hue(id) {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + char.charCodeAt(0)) % 360;
  return sum;
}
