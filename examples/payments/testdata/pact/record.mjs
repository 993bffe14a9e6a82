// Records what three consumers of the payments example expect of it, with the
// official JavaScript library, in each version of the specification that it
// writes: node record.mjs FOLDER
import process from "node:process";
import { Matchers, MessageConsumerPact, Pact, SpecificationVersion } from "@pact-foundation/pact";

const dir = process.argv[2];
const provider = "payments";
const { arrayContaining, datetime, eachLike, eachValueMatches, fromProviderState, integer, like, matchStatus, nullValue, regex, string } = Matchers;

const key = { Authorization: regex("Bearer .+", "Bearer of-the-merchant") };
const json = { ...key, "Content-Type": "application/json" };
const moment = datetime("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2026-11-29T00:00:00.000Z");
const status = (now) => regex("authorized|captured|partially_refunded|refunded|voided|declined|expired", now);

const payment = (now) => ({
  id: regex("pay_[0-9a-z-]+", "pay_1"),
  status: now,
  amount: integer(10000),
  captured_amount: integer(0),
  refunded_amount: integer(0),
  currency: regex("[A-Z]{3}", "EUR"),
  card: { brand: string("visa"), last4: regex("\\d{4}", "4242"), exp_month: integer(12), exp_year: integer(2040) },
  reference: string("order-1"),
  created_at: moment,
  version: integer(1),
});

const order = {
  amount: 10000,
  currency: "EUR",
  card: { number: "4242424242424242", exp_month: 12, exp_year: 2040, cvc: "123" },
  reference: "order-1",
};

// send returns when the library's server has noted the request, which it does
// some time after it has answered.
async function send({ pact }, server, method, path, headers, body) {
  const answer = await fetch(server.url + path, { method, headers, body: body && JSON.stringify(body) });
  await answer.text();
  for (const end = Date.now() + 10_000; Date.now() < end && !pact.mockServerMatchedSuccessfully(server.port); ) {
    await new Promise((done) => setTimeout(done, 10));
  }
}

// web sells, in version 4.
async function web() {
  const pact = new Pact({ consumer: "web", provider, dir, spec: SpecificationVersion.SPECIFICATION_VERSION_V4, logLevel: "error" });

  await pact
    .addInteraction()
    .uponReceiving("an order to authorise")
    .withRequest("POST", "/v1/payments", (r) => r.headers({ ...json, "Idempotency-Key": like("order-1") }).jsonBody(order))
    .willRespondWith(201, (r) =>
      r.headers({ "Content-Type": "application/json", Location: regex("/v1/payments/pay_[0-9a-z-]+", "/v1/payments/pay_1"), ETag: regex('"\\d+"', '"1"') }).jsonBody(payment("authorized")))
    .executeTest((s) => send(pact, s, "POST", "/v1/payments", { Authorization: "Bearer x", "Content-Type": "application/json", "Idempotency-Key": "k" }, order));

  await pact
    .addInteraction()
    .uponReceiving("an order whose card is declined")
    .withRequest("POST", "/v1/payments", (r) =>
      r.headers({ ...json, "Idempotency-Key": like("order-2") }).jsonBody({ ...order, card: { ...order.card, number: "4000000000000002" } }))
    .willRespondWith(402, (r) =>
      r.headers({ "Content-Type": "application/problem+json" }).jsonBody({ type: regex(".*/card-declined", "/problems/card-declined"), status: 402, decline_code: "card_declined", id: regex("pay_.+", "pay_1") }))
    .executeTest((s) => send(pact, s, "POST", "/v1/payments", { Authorization: "Bearer x", "Content-Type": "application/json", "Idempotency-Key": "k" }, { ...order, card: { ...order.card, number: "4000000000000002" } }));

  await pact
    .addInteraction()
    .given("an authorised payment", { amount: 10000, reference: "order-3" })
    .uponReceiving("a request for the payment")
    .withRequest("GET", fromProviderState("/v1/payments/${id}", "/v1/payments/pay_1"), (r) => r.headers(key))
    .willRespondWith(matchStatus(200, "success"), (r) =>
      r.headers({ "Content-Type": "application/json" }).jsonBody({ ...payment(status("authorized")), reference: "order-3", metadata: eachValueMatches({ shelf: "7" }, string("7")) }))
    .executeTest((s) => send(pact, s, "GET", "/v1/payments/pay_1", { Authorization: "Bearer x" }));

  await pact
    .addInteraction()
    .given("an authorised payment", { amount: 10000, reference: "order-4" })
    .given("a captured payment", { amount: 2500, reference: "order-5" })
    .uponReceiving("a request for the last payments")
    .withRequest("GET", "/v1/payments", (r) => r.headers(key).query({ limit: regex("\\d+", "20"), currency: "EUR" }))
    .willRespondWith(200, (r) =>
      r.jsonBody({ data: arrayContaining(payment("captured"), payment("authorized")), has_more: like(false), next_cursor: nullValue() }))
    .executeTest((s) => send(pact, s, "GET", "/v1/payments?limit=20&currency=EUR", { Authorization: "Bearer x" }));

  await pact
    .addAsynchronousInteraction()
    .given("a captured payment", { amount: 2500, reference: "order-6" })
    .expectsToReceive("an event of a captured payment", (m) =>
      m.withMetadata({ contentType: "application/json" }).withJSONContent({
        id: regex("evt_.+", "evt_1"), type: "payment.captured", payment_id: regex("pay_.+", "pay_1"), created_at: moment,
        data: { ...payment("captured"), captured_amount: integer(2500) },
      }))
    .executeTest(async () => {});
}

// support refunds, in version 3, and hears of events, as version 3 has them.
async function support() {
  const pact = new Pact({ consumer: "support", provider, dir, spec: SpecificationVersion.SPECIFICATION_VERSION_V3, logLevel: "error" });
  await pact
    .addInteraction()
    .given("a captured payment", { amount: 2500, reference: "order-7" })
    .uponReceiving("a refund of a part")
    .withRequest("POST", fromProviderState("/v1/payments/${id}/refunds", "/v1/payments/pay_1/refunds"), (r) =>
      r.headers({ ...json, "Idempotency-Key": like("r-1") }).jsonBody({ amount: 500, reason: "damaged" }))
    .willRespondWith(201, (r) =>
      r.headers({ "Content-Type": "application/json" }).jsonBody({ id: regex("re[a-z]*_.+", "ref_1"), amount: 500, currency: "EUR", reason: "damaged", created_at: moment }))
    .executeTest((s) =>
      send(pact, s, "POST", "/v1/payments/pay_1/refunds", { Authorization: "Bearer x", "Content-Type": "application/json", "Idempotency-Key": "k" }, { amount: 500, reason: "damaged" }));

  const messages = new MessageConsumerPact({ consumer: "support-feed", provider, dir, pactfileWriteMode: "update", logLevel: "error" });
  await messages
    .given("a refunded payment")
    .expectsToReceive("an event of a refunded payment")
    .withContent({ type: "payment.refunded", payment_id: like("pay_1"), data: { refunded_amount: like(2500) } })
    .withMetadata({ "content-type": "application/json" })
    .verify(async () => {});
}

// legacy reads a list, in version 2.
async function legacy() {
  const pact = new Pact({ consumer: "legacy", provider, dir, spec: SpecificationVersion.SPECIFICATION_VERSION_V2, logLevel: "error" });
  await pact
    .addInteraction()
    .given("a payment")
    .uponReceiving("a request for any payments")
    .withRequest("GET", "/v1/payments", (r) => r.query({ limit: "1" }).headers(key))
    .willRespondWith(200, (r) =>
      r.headers({ "Content-Type": "application/json" }).jsonBody({ data: eachLike({ id: like("pay_1"), amount: like(100), status: regex("[a-z_]+", "authorized") }), has_more: like(true) }))
    .executeTest((s) => send(pact, s, "GET", "/v1/payments?limit=1", { Authorization: "Bearer x" }));
}

await web();
await support();
await legacy();
