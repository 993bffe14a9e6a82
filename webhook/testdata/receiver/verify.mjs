// Reads messages, one JSON text a line, verifies each with the reference
// library of Standard Webhooks, and signs it itself. Answers a line each.
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  const hook = new Webhook(secret);
  let error = "";
  try {
    hook.verify(body, headers);
  } catch (e) {
    error = String(e.message);
  }
  const id = headers["webhook-id"] ?? "";
  const at = new Date(Number(headers["webhook-timestamp"]) * 1000);
  console.log(JSON.stringify({ error, signature: Number.isNaN(at.getTime()) ? "" : hook.sign(id, at, body) }));
}
