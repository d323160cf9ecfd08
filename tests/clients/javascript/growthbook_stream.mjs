// Load a payload, print what a unit gets, and print it again whenever the server pushes a change: one JSON line each time.
import { readFileSync } from "node:fs";
import { GrowthBookClient, setPolyfills } from "@growthbook/growthbook";
import { EventSource } from "eventsource";

setPolyfills({ EventSource });
const { url, key, flag, unit } = JSON.parse(readFileSync(0, "utf8"));
const client = new GrowthBookClient({ apiHost: url, clientKey: key });
await client.init({ timeout: 5000, streaming: true });
let last;
setInterval(() => {
  const now = JSON.stringify(client.evalFeature(flag, { attributes: { id: unit } }).value);
  if (now !== last) process.stdout.write(`${now}\n`);
  last = now;
}, 20);
