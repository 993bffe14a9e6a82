// Verifies a provider against a broker's pacts with the official library, as
// TestBrokerLikeTheOfficialVerifier does with this package: node verify.mjs
import process from "node:process";
import { Verifier } from "@pact-foundation/pact";

const verifier = new Verifier({
  provider: "orders",
  providerBaseUrl: process.env.PROVIDER,
  pactBrokerUrl: process.env.BROKER,
  pactBrokerToken: "let-me-in",
  consumerVersionSelectors: [{ branch: "main" }, { deployedOrReleased: true, environment: "production" }],
  enablePending: true,
  providerVersion: "1.2.3",
  providerVersionBranch: "feat/x",
  publishVerificationResult: true,
  buildUrl: "https://ci.example.com/7",
  logLevel: "error",
});
process.exitCode = await verifier.verifyProvider().then(() => 0, () => 3);
