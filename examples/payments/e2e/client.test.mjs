// The generated client against the running service.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, ConnectionError, Payments, isProblem, storedTokens } from './payments.js';
import { baseUrl, cutAll, loseAnswer, password, refuse, restart, seen, stall, until } from './stage.mjs';

// Deno's own fetch repeats a request, also a POST, when a connection that it kept ends before the answer, and tells nobody. It
// does not with connections that are not kept.
const { Deno } = globalThis;
const once = Deno?.createHttpClient({ poolMaxIdlePerHost: 0 });
const oneByOne = once ? { fetch: (url, init) => fetch(url, { ...init, client: once }) } : {};

const order = (spoil = {}) => ({
  amount: 100_00, currency: 'EUR', reference: `order-${crypto.randomUUID().slice(0, 8)}`,
  card: { number: '4242424242424242', exp_month: 12, exp_year: 2040, cvc: '123' }, ...spoil,
});

async function signedIn(options = {}, name = 'merchant') {
  const api = new Payments({ baseUrl, ...options });
  await api.auth.login({ email: `${name}@demo.test`, password });
  return api;
}

const requests = async (method, path) => (await seen()).filter((r) => r.method === method && r.path === path);

test('sign-in, a payment, its capture and its refund', async () => {
  const api = await signedIn();
  assert.equal((await api.auth.me()).role, 'merchant');
  let etag;
  const payment = await api.payments.authorize(order(), { onAnswer: (a) => { etag = a.headers.get('ETag'); } });
  assert.equal(payment.status, 'authorized');
  const captured = await api.payments.capture({ id: payment.id, amount: 60_00 }, { ifMatch: etag });
  assert.deepEqual([captured.status, captured.captured_amount], ['captured', 60_00]);
  await assert.rejects(api.payments.capture({ id: payment.id }, { ifMatch: etag }), (e) => isProblem(e, 'stale'));
  const refund = await api.payments.refund({ id: payment.id, amount: 10_00, reason: 'returned' });
  assert.equal(refund.payment_id, payment.id);
  assert.equal((await api.payments.get({ id: payment.id })).status, 'partially_refunded');
  await api.signOut();
  assert.equal(api.tokens.get(), undefined);
  await assert.rejects(api.payments.list(), (e) => isProblem(e, 'unauthenticated'));
});

test('problems are told apart', async () => {
  const api = await signedIn();
  await assert.rejects(api.payments.authorize(order({ card: { ...order().card, number: '4000000000009995' } })), (e) => {
    assert.ok(e instanceof ApiError && isProblem(e, 'card_declined'));
    assert.deepEqual([e.status, e.problem.decline_code, e.operation], [402, 'insufficient_funds', 'payments.authorize']);
    return true;
  });
  await assert.rejects(api.payments.authorize(order({ amount: 0, reference: '' })), (e) => {
    assert.ok(isProblem(e, 'invalid'));
    assert.deepEqual(e.problem.errors.map((v) => v.pointer).sort(), ['/amount', '/reference']);
    return true;
  });
  await assert.rejects(new Payments({ baseUrl }).auth.login({ email: 'merchant@demo.test', password: 'wrong' }), (e) => isProblem(e, 'credentials_wrong'));
  await assert.rejects(api.payments.authorize(order({ amount: 2 ** 60 })), RangeError);
});

test('a payment whose answer was lost is made once', async () => {
  const api = await signedIn();
  const retries = [];
  const impatient = new Payments({ baseUrl, tokens: api.tokens, onRetry: (r) => retries.push(r), ...oneByOne });
  await loseAnswer('/v1/payments');
  const reference = order().reference;
  let attempts;
  const payment = await impatient.payments.authorize(order({ reference }), { onAnswer: (a) => { attempts = a.attempts; } });
  assert.equal(payment.status, 'authorized');
  assert.ok(retries.length >= 1 && retries[0].reason instanceof ConnectionError, 'nothing was lost');
  assert.equal(attempts, retries.length + 1);
  const keys = (await requests('POST', '/v1/payments')).slice(-attempts).map((r) => r.key);
  assert.equal(new Set(keys).size, 1, `one call has the keys ${keys}`);
  let found = 0;
  for await (const p of api.payments.list({ created_after: new Date(Date.now() - 600_000) })) found += p.reference === reference ? 1 : 0;
  assert.equal(found, 1);
});

test('a call that is not safe to repeat is not repeated', async () => {
  const api = await signedIn(oneByOne, 'admin');
  await loseAnswer('/v1/merchants');
  const before = (await requests('POST', '/v1/merchants')).length;
  await assert.rejects(api.merchants.create({ name: 'Lost', country: 'DE', currency: 'EUR' }), (e) => e instanceof ConnectionError && e.reason === 'network');
  assert.equal((await requests('POST', '/v1/merchants')).length, before + 1);
});

test('refusals that pass are waited out, as long as the server says', async () => {
  const api = await signedIn();
  const delays = [];
  const patient = new Payments({ baseUrl, tokens: api.tokens, onRetry: (r) => delays.push(r.delayMs) });
  await refuse('/v1/payments', 429, 1, 1);
  assert.equal((await patient.payments.authorize(order())).status, 'authorized');
  assert.ok(delays.length === 1 && delays[0] >= 1000, `waited ${delays}`);
  await refuse('/v1/auth/me', 503, 2, 0);
  assert.equal((await patient.auth.me()).role, 'merchant');
  assert.equal(delays.length, 3);
  await refuse('/v1/auth/me', 500, 1, 0);
  await assert.rejects(patient.auth.me(), (e) => e instanceof ApiError && e.status === 500);
  await refuse('/v1/auth/me', 503, 1, 3600);
  await assert.rejects(patient.auth.me(), (e) => e instanceof ApiError && e.status === 503, 'an hour is too long to wait');
  await refuse('/v1/auth/me', 503, 2, 0);
  await assert.rejects(patient.auth.me({ attempts: 2 }), (e) => e instanceof ApiError && e.status === 503);
  assert.equal(delays.length, 4);
});

test('however many calls need it, a token is refreshed once', async () => {
  const api = await signedIn();
  const kept = api.tokens.get();
  api.tokens.set({ ...kept, access_token: `${kept.access_token.slice(0, -6)}AAAAAA` });
  const before = (await requests('POST', '/v1/auth/refresh')).length;
  const answers = await Promise.all(Array.from({ length: 12 }, () => api.auth.me()));
  assert.ok(answers.every((a) => a.email === 'merchant@demo.test'));
  assert.equal((await requests('POST', '/v1/auth/refresh')).length, before + 1);
  assert.notEqual(api.tokens.get().refresh_token, kept.refresh_token);

  // One that is known to have run out is not even tried, and a lost answer does not end the session.
  api.tokens.set({ ...api.tokens.get(), expires_at: 0 });
  await loseAnswer('/v1/auth/refresh');
  assert.equal((await api.auth.me()).email, 'merchant@demo.test');
  assert.equal((await api.auth.me()).email, 'merchant@demo.test');
});

test('a session that has ended says so once', async () => {
  let ended = 0;
  const api = await signedIn({ onSignedOut: () => { ended++; } });
  const kept = api.tokens.get();
  await api.auth.logout({ refresh_token: kept.refresh_token });
  const failures = await Promise.allSettled([api.auth.me(), api.auth.me(), api.auth.me()]);
  assert.ok(failures.every((f) => f.status === 'rejected' && isProblem(f.reason, 'refresh_token_invalid', 'token_invalid')), JSON.stringify(failures));
  assert.equal(ended, 1);
  assert.equal(api.tokens.get(), undefined);
});

test('tabs that share a store refresh in turn', async () => {
  const kept = new Map();
  const storage = { getItem: (n) => kept.get(n) ?? null, setItem: (n, v) => kept.set(n, v), removeItem: (n) => kept.delete(n) };
  const one = await signedIn({ tokens: storedTokens(storage) });
  const two = new Payments({ baseUrl, tokens: storedTokens(storage) });
  one.tokens.set({ ...one.tokens.get(), expires_at: 0 });
  await one.auth.me();
  assert.equal((await two.auth.me()).email, 'merchant@demo.test');
});

test('a list is read page by page', async () => {
  const api = await signedIn();
  const first = await api.payments.list({ limit: 7 });
  assert.equal(first.data.length, 7);
  assert.ok(first.has_more);
  const ids = [];
  for await (const p of api.payments.list({ limit: 7 })) if (ids.push(p.id) === 30) break;
  assert.equal(new Set(ids).size, 30);
  const everything = [];
  for await (const page of api.payments.list({ limit: 50, status: 'refunded' }).pages()) everything.push(...page.data);
  assert.ok(everything.length > 0 && everything.every((p) => p.status === 'refunded'));
});

test('a call can be aborted, and is given up in time', async () => {
  const api = await signedIn();
  await stall('/v1/auth/me');
  const leave = new AbortController();
  const call = api.auth.me({ signal: leave.signal });
  leave.abort(new Error('gone'));
  await assert.rejects(call, /gone/);
  await assert.rejects(api.auth.me({ signal: AbortSignal.abort(new Error('before')) }), /before/);
  await assert.rejects(api.auth.me({ timeoutMs: 50, attempts: 1 }), (e) => e instanceof ConnectionError && e.reason === 'timeout');
  await stall('');
  assert.equal((await api.auth.me()).role, 'merchant');
});

test('a file is bytes with a name', async () => {
  const api = await signedIn();
  const report = await api.reports.create({ kind: 'settlement', from: '2020-01-01', to: '2020-01-02', currency: 'EUR' });
  await until('the report is done', async () => (await api.reports.get({ id: report.id })).status === 'done');
  const file = await api.reports.file({ id: report.id });
  assert.match(file.type, /text\/csv/);
  assert.match(file.name, /\.csv$/);
  assert.ok((await file.body.text()).length > 0);
});

for (const transport of ['sse', 'websocket']) {
  test(`a subscription over ${transport} goes on after a cut and a restart, and misses nothing`, async () => {
    const api = await signedIn();
    const leave = new AbortController();
    const states = [], got = [];
    const stream = api.events.stream({}, { signal: leave.signal, transport, onState: (s) => states.push(s) });
    const listening = (async () => { for await (const e of stream) got.push(e); })();
    const opened = (n) => until(`opened ${n} times`, () => states.filter((s) => s.state === 'open').length >= n);
    const made = [];
    const pay = async () => { made.push((await api.payments.authorize(order())).id); };

    await opened(1);
    assert.equal(states[0].resumed, false);
    await pay();
    await until('the first event', () => got.length === 1);
    await cutAll();
    await pay();
    await opened(2);
    await pay();
    await until('what happened meanwhile', () => got.length === 3);
    await restart();
    await pay();
    await until('what happened after the restart', () => got.length === 4);
    assert.ok(states.filter((s) => s.state === 'open').slice(1).every((s) => s.resumed));
    assert.deepEqual(got.map((e) => e.payment_id), made);
    assert.equal(new Set(got.map((e) => e.id)).size, 4);

    // The token runs out, and nobody notices.
    const kept = api.tokens.get();
    api.tokens.set({ ...kept, access_token: `${kept.access_token.slice(0, -6)}AAAAAA` });
    await cutAll();
    await pay();
    await until('what happened after the token was refused', () => got.length === 5);

    leave.abort();
    await listening;
    assert.equal(stream.lastEventId, got.at(-1).id);
    for await (const e of api.events.stream({ after: got[1].id }, { transport })) {
      assert.equal(e.id, got[2].id);
      break; // leaves the connection too
    }
  });

  test(`what cannot be continued over ${transport} is an error`, async () => {
    const api = await signedIn();
    const next = (input, client = api) => client.events.stream(input, { transport })[Symbol.asyncIterator]().next();
    await assert.rejects(next({ after: 'evt_00000000000000000000000000' }), (e) => isProblem(e, 'events_reset') || transport === 'websocket' && e instanceof ConnectionError);
    // The server waits 10 s for a socket to say whose it is.
    if (transport === 'sse') await assert.rejects(next({}, new Payments({ baseUrl })), (e) => isProblem(e, 'unauthenticated'));
  });
}

test('a WebSocket that cannot be had is an error', async () => {
  const { WebSocket } = globalThis;
  globalThis.WebSocket = undefined;
  try {
    const api = await signedIn();
    await assert.rejects(api.events.stream({}, { transport: 'websocket' })[Symbol.asyncIterator]().next(), (e) => e instanceof ConnectionError && e.reason === 'unsupported');
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});

test('silence is taken for the end of a connection', async () => {
  const api = await signedIn();
  const states = [];
  const leave = new AbortController();
  const listening = (async () => {
    for await (const _ of api.events.stream({}, { signal: leave.signal, silenceMs: 100, onState: (s) => states.push(s) })) { /* nothing comes */ }
  })();
  await until('it came back', () => states.filter((s) => s.state === 'open').length >= 2);
  leave.abort();
  await listening;
});
