// Send events as a Node service does. Standard input: {url, key, events}; output: how many the client gave up on.
import { readFileSync } from "node:fs";
import { Analytics } from "@segment/analytics-node";

const { url, key, events } = JSON.parse(readFileSync(0, "utf8"));
const analytics = new Analytics({ writeKey: key, host: url, path: "/v1/batch", flushAt: 50, flushInterval: 200 });
const failures = [];
analytics.on("error", (error) => failures.push(String(error.reason ?? error)));
for (const { kind, ...event } of events) analytics[kind](event);
await analytics.closeAndFlush({ timeout: 20000 });
process.stdout.write(JSON.stringify(failures));
