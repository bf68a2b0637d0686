// The classic script has the same, as a global.
const client: Signalling.SignallingClient = new Signalling.SignallingClient();
client.on("open", ({ clientId }) => clientId.length);
