// node run.js URL VERSION TRANSPORT SCENARIO...: runs scenarios one after the other, says "ok NAME" for each, and exits
// with 0 when all hold and every connection is closed.
"use strict";

const { Clients } = require("./lib.js");
const scenarios = { ...require("./scenarios.js"), ...require("./payload_v3.js") };

async function main(url, version, transport, ...names) {
  const clients = new Clients(url, Number(version), transport);
  for (const name of names) {
    try {
      await scenarios[name](clients);
    } catch (e) {
      process.stderr.write(name + ": " + e.stack + "\n");
      process.exit(1);
    }
    clients.closeAll();
    process.stdout.write("ok " + name + "\n");
  }
}

main(...process.argv.slice(2));
