// Ask an OFREP server for one flag for many units, as a Node service does. Standard input: {url, key, flag, units}; output: {unit: [value, variant, reason]}.
import { readFileSync } from "node:fs";
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const { url, key, flag, units } = JSON.parse(readFileSync(0, "utf8"));
await OpenFeature.setProviderAndWait(
  new OFREPProvider({ baseUrl: url, headers: [["Authorization", `Bearer ${key}`]] }),
);
const client = OpenFeature.getClient();
const answers = {};
const waiting = [...units];
async function ask() {
  for (let unit = waiting.pop(); unit !== undefined; unit = waiting.pop()) {
    const details = await client.getStringDetails(flag, "code default", { targetingKey: unit });
    answers[unit] = [details.value, details.variant ?? null, details.reason ?? null, details.errorCode ?? null];
  }
}
await Promise.all(Array.from({ length: 16 }, ask));
process.stdout.write(JSON.stringify(answers));
await OpenFeature.close();
