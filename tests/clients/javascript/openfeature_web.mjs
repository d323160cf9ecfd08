// The OpenFeature web SDK with its OFREP provider, for a page to use: bundled by esbuild into one script.
import { OpenFeature } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";

globalThis.connect = async ({ url, key, unit, ...options }) => {
  await OpenFeature.setContext({ targetingKey: unit });
  await OpenFeature.setProviderAndWait(
    new OFREPWebProvider({ baseUrl: url, headers: [["Authorization", `Bearer ${key}`]], ...options }),
  );
};
globalThis.ask = (flag) => {
  const details = OpenFeature.getClient().getStringDetails(flag, "code default");
  return [details.value, details.variant ?? null, details.reason ?? null, details.errorCode ?? null];
};
globalThis.become = async (context) => OpenFeature.setContext(context);
globalThis.askAll = async (flag, units) => {
  const answers = {};
  for (const unit of units) {
    await OpenFeature.setContext({ targetingKey: unit });
    answers[unit] = globalThis.ask(flag);
  }
  return answers;
};
globalThis.disconnect = async () => OpenFeature.close();
