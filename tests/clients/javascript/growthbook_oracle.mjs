// Answer many questions of the SDK protocol with the JavaScript client's own code, so that another engine can be compared.
// Standard input: [[kind, ...what it asks with]]; output: one answer each, or {threw} where the client raised.
import { readFileSync } from "node:fs";
import { GrowthBook, StickyBucketService, evalCondition, isURLTargeted, paddedVersionString } from "@growthbook/growthbook";

class Documents extends StickyBucketService {
  constructor(documents) {
    super();
    this.kept = {};
    for (const document of documents) this.keep(document);
  }
  keep(document) {
    this.kept[this.getKey(document.attributeName, document.attributeValue)] = document;
  }
  async getAssignments(name, value) {
    return this.kept[this.getKey(name, value)] ?? null;
  }
  async saveAssignments(document) {
    this.keep(document);
  }
}

// The client writes each malformed field to the console; those lines are no answers.
console.error = console.log = console.warn = () => {};

const tracks = [];
const client = (context, more = {}) =>
  new GrowthBook({
    ...context,
    ...more,
    disableCache: true,
    trackingCallback: (experiment, result) => tracks.push([experiment.key, result.key, String(result.hashValue)]),
  });

const answerers = {
  condition: (condition, attributes, groups) => evalCondition(attributes, condition, groups),
  version: (one) => paddedVersionString(one),
  url: (url, targets) => isURLTargeted(url, targets),
  feature: (context, key) => {
    tracks.length = 0;
    const result = client(context).evalFeature(key);
    return { ...result, tracks: [...tracks] };
  },
  run: (context, experiment) => client(context).run(experiment),
  sticky: async (context, documents, key) => {
    const service = new Documents(documents);
    const growthbook = client(context, { stickyBucketService: service });
    await growthbook.refreshStickyBuckets();
    const result = growthbook.evalFeature(key).experimentResult ?? null;
    return [result, service.kept];
  },
};

const answers = [];
for (const [kind, ...asked] of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    answers.push((await answerers[kind](...asked)) ?? null);
  } catch (error) {
    answers.push({ threw: String(error) });
  }
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
