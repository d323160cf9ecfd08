// Load a payload, print what a unit gets, and print it again whenever it changes: one JSON line each time.
// The server pushes changes; with `poll` the client hears of nothing and asks again once its copy is stale.
import { readFileSync } from "node:fs";
import { GrowthBookClient, configureCache, setPolyfills } from "@growthbook/growthbook";
import { EventSource } from "eventsource";

const { url, key, flag, unit, poll } = JSON.parse(readFileSync(0, "utf8"));
if (poll) configureCache({ staleTTL: 50 });
else setPolyfills({ EventSource });
const client = new GrowthBookClient({ apiHost: url, clientKey: key });
await client.init({ timeout: 5000, streaming: !poll });
if (poll) setInterval(() => client.refreshFeatures(), 100);
let last;
setInterval(() => {
  const now = JSON.stringify(client.evalFeature(flag, { attributes: { id: unit } }).value);
  if (now !== last) process.stdout.write(`${now}\n`);
  last = now;
}, 20);
