// Validates an AsyncAPI document: node validate.mjs FILE. Prints what is wrong with it, one finding a line.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[2], "utf8"));
const severities = ["error", "warning"];
for (const d of diagnostics) {
  if (d.severity < severities.length) {
    console.log(`${severities[d.severity]} ${d.code} at ${d.path.join(".")}: ${d.message}`);
  }
}
console.log(document ? `${document.channels().length} channels` : "no document");
