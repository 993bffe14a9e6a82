// Verifies providers against a pact in a file with the official library, and
// prints which keep it: node agree.mjs
import process from "node:process";
import { Verifier } from "@pact-foundation/pact";

const { PACT, PROVIDERS } = process.env;
const kept = [];
for (const providerBaseUrl of PROVIDERS.split(",")) {
  const verifier = new Verifier({
    provider: "orders", providerBaseUrl, pactUrls: [PACT], logLevel: "error",
    stateHandlers: { "an order": async () => {}, "a clerk": async () => {} },
  });
  kept.push(await verifier.verifyProvider().then(() => true, (e) => { console.error(e); return false; }));
}
console.log(`\nKEPT ${JSON.stringify(kept)}`);
