// Load a feature payload and evaluate many units locally, as a Node service does.
// Standard input: {url, key, flag, units, decryptionKey?, remote?}; output: {unit: [value, variant key, source, in experiment]}.
import { readFileSync } from "node:fs";
import { GrowthBookClient, GrowthBook } from "@growthbook/growthbook";

const { url, key, flag, units, decryptionKey, remote } = JSON.parse(readFileSync(0, "utf8"));
const described = (result) => [
  result.value,
  result.experimentResult?.key ?? null,
  result.source,
  result.experimentResult?.inExperiment ?? false,
];
const answers = {};
if (remote) {
  for (const unit of units) {
    const tracked = [];
    const growthbook = new GrowthBook({
      apiHost: url,
      clientKey: key,
      remoteEval: true,
      attributes: { id: unit },
      trackingCallback: (experiment, result) => tracked.push([experiment.key, result.key]),
    });
    await growthbook.init({ timeout: 5000 });
    const result = growthbook.evalFeature(flag);
    answers[unit] = [result.value, result.source, tracked];
    growthbook.destroy();
  }
} else {
  const client = new GrowthBookClient({ apiHost: url, clientKey: key, decryptionKey });
  const { success, source, error } = await client.init({ timeout: 5000 });
  if (!success) throw new Error(`The client did not start (${source}): ${error}`);
  for (const unit of units) answers[unit] = described(client.evalFeature(flag, { attributes: { id: unit } }));
  client.destroy();
}
// The SDK keeps timers of its own; a pipe takes its time.
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
