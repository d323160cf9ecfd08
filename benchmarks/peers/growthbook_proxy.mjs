// GrowthBook's remote evaluation as its proxy does it: one context in, every feature's value out.
// usage: node growthbook_proxy.mjs PORT PAYLOAD.json PROCESSES
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { evaluateFeatures } from "@growthbook/proxy-eval";
import { inProcesses } from "./processes.mjs";

const [port, file, processes] = process.argv.slice(2);
const payload = JSON.parse(readFileSync(file, "utf8"));

function serve() {
  createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      const { attributes = {}, forcedVariations = {}, url = "" } = JSON.parse(Buffer.concat(parts).toString() || "{}");
      const answer = await evaluateFeatures({ payload, attributes, forcedVariations, forcedFeatures: new Map(), url });
      const body = JSON.stringify(answer);
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
      response.end(body);
    });
  }).listen(Number(port), "127.0.0.1");
}

inProcesses(Number(processes), serve);
