// node run.js URL VERSION TRANSPORT SCENARIO: runs one scenario and exits with 0 when it holds.
"use strict";

const { Clients } = require("./lib.js");
const scenarios = { ...require("./scenarios.js"), ...require("./payload_v3.js") };

const [url, version, transport, name] = process.argv.slice(2);
const clients = new Clients(url, Number(version), transport);

scenarios[name](clients).then(
  () => {
    clients.closeAll();
    process.stdout.write("done\n");
  },
  (e) => {
    process.stderr.write(e.stack + "\n");
    process.exit(1);
  },
);
