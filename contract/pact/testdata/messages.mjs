// Verifies messages against a pact in a file with the official library, and
// prints which keep it: node messages.mjs
import process from "node:process";
import { MessageProviderPact, providerWithMetadata } from "@pact-foundation/pact";

const { PACT, MESSAGES } = process.env;
const kept = [];
for (const message of JSON.parse(MESSAGES)) {
  const provider = new MessageProviderPact({
    provider: "orders", pactUrls: [PACT], logLevel: "error", stateHandlers: { "an order": async () => {} },
    messageProviders: { "an order was made": providerWithMetadata(async () => message, { topic: "shop", contentType: "application/json" }) },
  });
  kept.push(await provider.verify().then(() => true, (e) => { console.error(e); return false; }));
}
console.log(`\nKEPT ${JSON.stringify(kept)}`);
