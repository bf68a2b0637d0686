// Camera, microphone and screen of this device.

/** Each other person gets a copy of the picture, so it is not a large one. */
const SIZE = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24 } };

/** This person's tracks. `changed` is called after each change. */
export class Media {
  /** What the others see and hear of this person: one stream for as long as the page lives. */
  stream = new MediaStream();
  /** The shared screen, or null. */
  screen = null;
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  get camera() {
    return this.stream.getVideoTracks()[0] ?? null;
  }

  get microphone() {
    return this.stream.getAudioTracks()[0] ?? null;
  }

  get audible() {
    return this.microphone?.enabled ?? false;
  }

  /** Turns the camera on or off. Off, its light is out too. */
  async setCamera(on) {
    if (on && !this.camera) await this.#capture({ video: SIZE });
    if (!on && this.camera) this.#drop(this.camera);
    this.#changed();
  }

  /** Mutes the microphone or opens it. Muted, it sends silence, and is back at once. */
  async setMicrophone(on) {
    if (this.microphone) this.microphone.enabled = on;
    else if (on) await this.#capture({ audio: { echoCancellation: true, noiseSuppression: true } });
    this.#changed();
  }

  /** Shares a screen or a window, which the browser asks for, or stops that. */
  async setScreen(on) {
    if (!on) return this.#endScreen();
    if (this.screen) return;
    const stream = await devices("getDisplayMedia").getDisplayMedia({ video: true });
    this.screen = stream;
    // The browser has a button of its own to stop it.
    stream.getVideoTracks()[0].addEventListener("ended", () => this.#endScreen());
    this.#changed();
  }

  /** Turns everything off. */
  stop() {
    for (const track of this.stream.getTracks()) this.#drop(track);
    this.#endScreen();
  }

  async #capture(constraints) {
    const { stream } = this;
    for (const track of (await devices("getUserMedia").getUserMedia(constraints)).getTracks()) {
      stream.addTrack(track);
      track.addEventListener("ended", () => {
        stream.removeTrack(track); // unplugged, or its permission was taken back
        this.#changed();
      });
    }
  }

  #drop(track) {
    this.stream.removeTrack(track);
    track.stop();
  }

  #endScreen() {
    for (const track of this.screen?.getTracks() ?? []) track.stop();
    this.screen = null;
    this.#changed();
  }
}

function devices(method) {
  if (navigator.mediaDevices?.[method]) return navigator.mediaDevices;
  throw new DOMException("", isSecureContext ? "NotSupportedError" : "InsecureContext");
}
