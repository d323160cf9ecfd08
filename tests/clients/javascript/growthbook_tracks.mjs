// Evaluate flags for each unit twice, by the payload and remotely, and say what values and which exposures the app saw.
// Standard input: {url, local, remote, flags, units}; output: {unit: {local: [values, exposures], remote: […]}}.
import { readFileSync } from "node:fs";
import { GrowthBook } from "@growthbook/growthbook";

const { url, local, remote, flags, units } = JSON.parse(readFileSync(0, "utf8"));
async function seen(unit, clientKey, remoteEval) {
  const exposures = [];
  const growthbook = new GrowthBook({
    apiHost: url,
    clientKey,
    remoteEval,
    attributes: { id: unit },
    trackingCallback: (experiment, result) => exposures.push([experiment.key, result.key, result.hashValue]),
  });
  await growthbook.init({ timeout: 5000 });
  const values = {};
  for (const flag of [...flags, ...flags]) values[flag] = growthbook.evalFeature(flag).value;
  growthbook.destroy();
  return [values, exposures];
}
const answers = {};
for (const unit of units) {
  answers[unit] = { local: await seen(unit, local, false), remote: await seen(unit, remote, true) };
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
