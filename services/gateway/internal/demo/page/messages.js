// What people are told, for each answer of the server and each fault.

/** Words for why a room was not entered. */
export function refusal(error, room) {
  switch (error.code) {
    case "room-exists":
      return `The name “${room}” is taken. Join that room, or choose another name.`;
    case "room-not-exists":
      return `There is no room “${room}”. It may have been closed. You can create it.`;
    case "room-full":
      return `The room “${room}” is full.`;
    case "unauthorized":
      return "The server wants to know who you are, and this page has no valid access token.";
    case "forbidden":
      return "You are not allowed to do that here.";
    case "rate-limited":
      return "That was too much at once. Wait a moment, then try again.";
    case "unavailable":
    case "timeout":
      return "The server did not answer in time. Try again.";
    case "bad-request":
      return `The server does not take this name: ${error.message}.`;
    case "closed":
      return "The connection to the server has ended. Reload the page.";
    default:
      return `That did not work: ${error.message || error}.`;
  }
}

/** Words for a room that does not let a person in. */
export function barred(room) {
  return `The room “${room}” does not let you in: it may be locked, or want a password, or its owner has removed you.`;
}

/** Words for why a camera, a microphone or a screen is not there. */
export function deviceFault(error, what) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return what === "screen"
        ? "The screen is not shared: it was not allowed."
        : `The ${what} stays off: permission was denied. You can allow it in the browser's settings of this page.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `There is no ${what} on this device. You can still see and hear the others.`;
    case "NotReadableError":
    case "AbortError":
      return `The ${what} cannot be used right now. Another program may be using it.`;
    case "InsecureContext":
      return `Browsers give the ${what} only to pages that come by https, or from this machine (localhost).`;
    case "NotSupportedError":
    case "TypeError":
      return `This browser cannot share a ${what}.`;
    default:
      return `The ${what} does not work: ${error.message || error.name}.`;
  }
}

/** Words for the state of a connection to another person. */
export const peerStates = {
  new: "waiting",
  connecting: "connecting…",
  connected: "connected",
  disconnected: "interrupted…",
  failed: "lost, trying another way…",
  closed: "gone",
};

/** Words for why a room was left. */
export const endings = {
  left: "You left the room.",
  kicked: "The room was closed: its owner left or lost the connection, or has removed you.",
  gone: "The room is gone: it was not opened again while you were away.",
  closed: "The connection to the server has ended.",
};

/** Words for the end of the connection to the server. */
export function lost(code) {
  if (code === 1001) return "The server is restarting.";
  if (code === 4000) return "This connection was too slow, so the server ended it.";
  if (code === 4001) return "The server has not heard from this page for too long.";
  return "The connection to the server is lost.";
}
