// The business that every Node peer serves, as ../shop has it for Go's.
'use strict';

const crypto = require('node:crypto');
const path = require('node:path');
const { LRUCache } = require('lru-cache');

/** Database is the driver, or null where it could not be installed. */
const Database = (() => {
  try {
    const driver = require('better-sqlite3');
    new driver(':memory:').close();
    return driver;
  } catch {
    return null;
  }
})();

const settings = JSON.parse(process.env.BENCH_SETTINGS);
settings.Secret = Buffer.from(settings.Secret, 'base64');

const limits = {
  window: 60_000, body: 1 << 20, header: 16 << 10, rounds: 1_000_000_000,
  headersTimeout: 5_000, requestTimeout: 10_000, socketTimeout: 30_000, keepAliveTimeout: 120_000, beat: 15_000,
};
const issuer = 'bench';
const audience = 'bench';
const origin = 'https://app.example.com';
const roles = { merchant: ['payments:read', 'payments:write'], auditor: ['payments:read'] };
const may = (role, permission) => Object.hasOwn(roles, role) && roles[role].includes(permission);

const answeredAt = '2026-11-22T17:30:05.123Z';

function quote(order) {
  return {
    id: 'pay_01JD8Z3K5QW8A7T2V9XN4M6P0R', merchant_id: order.merchant_id ?? '', status: 'authorized',
    amount: order.amount, captured_amount: 0, refunded_amount: 0, currency: order.currency,
    card: { brand: 'visa', last4: order.card.number.slice(-4), exp_month: order.card.exp_month, exp_year: order.card.exp_year },
    reference: order.reference, description: order.description ?? '', metadata: order.metadata ?? null,
    created_at: answeredAt, updated_at: answeredAt, version: 1,
  };
}

function burn(rounds) {
  let x = 2463534242 | 0;
  for (let i = 0; i < rounds; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  return { sum: x >>> 0 };
}

const names = ['id', 'merchant_id', 'status', 'amount', 'captured_amount', 'refunded_amount', 'currency', 'brand', 'last4',
  'exp_month', 'exp_year', 'reference', 'description', 'metadata', 'created_at', 'updated_at', 'version'];
const insertPayment = `INSERT INTO payments (${names}) VALUES (${names.map(() => '?')})`;

const row = (p) => [p.id, p.merchant_id, p.status, p.amount, p.captured_amount, p.refunded_amount, p.currency, p.card.brand, p.card.last4,
  p.card.exp_month, p.card.exp_year, p.reference, p.description, JSON.stringify(p.metadata), p.created_at, p.updated_at, p.version];

const payment = (r) => ({
  id: r.id, merchant_id: r.merchant_id, status: r.status, amount: r.amount, captured_amount: r.captured_amount,
  refunded_amount: r.refunded_amount, currency: r.currency,
  card: { brand: r.brand, last4: r.last4, exp_month: r.exp_month, exp_year: r.exp_year },
  reference: r.reference, description: r.description, metadata: JSON.parse(r.metadata),
  created_at: r.created_at, updated_at: r.updated_at, version: r.version,
});

function open() {
  const db = new Database(path.join(settings.Dir, 'shop.db'), { timeout: 10_000 });
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  return db;
}

/** seed makes the database. */
function seed() {
  const db = open();
  db.exec(`
CREATE TABLE payments (id TEXT PRIMARY KEY, merchant_id TEXT NOT NULL, status TEXT NOT NULL,
	amount BIGINT NOT NULL, captured_amount BIGINT NOT NULL, refunded_amount BIGINT NOT NULL, currency TEXT NOT NULL,
	brand TEXT NOT NULL, last4 TEXT NOT NULL, exp_month BIGINT NOT NULL, exp_year BIGINT NOT NULL,
	reference TEXT NOT NULL, description TEXT NOT NULL, metadata TEXT NOT NULL,
	created_at TEXT NOT NULL, updated_at TEXT NOT NULL, version BIGINT NOT NULL);
CREATE INDEX payments_of_merchant ON payments (merchant_id, id);
CREATE TABLE entries (id TEXT PRIMARY KEY, payment_id TEXT NOT NULL, account TEXT NOT NULL,
	amount BIGINT NOT NULL, created_at TEXT NOT NULL);`);
  const add = db.prepare(insertPayment);
  db.transaction(() => {
    for (let i = 0; i < seeds; i++) add.run(row(seeded(i)));
  })();
  db.close();
}

/** Store is SQLite by better-sqlite3, statements prepared once, and a cache. */
class Store {
  #find; #list; #create;
  #cache = new LRUCache({ max: 10_000, ttl: 5_000 });

  constructor() {
    const db = open();
    this.#find = db.prepare(`SELECT ${names} FROM payments WHERE id = ?`);
    this.#list = db.prepare(`SELECT ${names} FROM payments WHERE merchant_id = ? AND id > ? ORDER BY id LIMIT ?`);
    const insert = db.prepare(insertPayment);
    const book = db.prepare('INSERT INTO entries (id, payment_id, account, amount, created_at) VALUES (?, ?, ?, ?, ?)');
    this.#create = db.transaction((p) => {
      insert.run(row(p));
      book.run(`ent_${crypto.randomUUID()}`, p.id, 'held', p.amount, p.created_at);
    });
  }

  /** find returns the payment, or undefined. */
  find(id) {
    const found = this.#find.get(id);
    return found && payment(found);
  }

  cached(id) {
    let p = this.#cache.get(id);
    if (!p && (p = this.find(id))) this.#cache.set(id, p);
    return p;
  }

  list(merchant, after, limit) {
    const data = this.#list.all(merchant, after, limit + 1).map(payment);
    const has_more = data.length > limit;
    if (has_more) data.pop();
    return { data, next_cursor: has_more ? data[limit - 1].id : '', has_more };
  }

  create(order) {
    const p = quote(order);
    p.id = `pay_${crypto.randomUUID()}`;
    p.created_at = p.updated_at = new Date().toISOString();
    this.#create.immediate(p);
    return p;
  }
}

const entry = ({ id, amount, currency, status, reference }) => ({ id, amount, currency, status, reference });

const seeded = (i) => {
  const at = new Date(Date.UTC(2026, 0, 1) + i * 1000).toISOString();
  return {
    id: `pay_${String(i).padStart(20, '0')}`, merchant_id: 'mer_1', status: 'captured', amount: 1000 + i, captured_amount: 1000 + i,
    refunded_amount: 0, currency: ['EUR', 'GBP', 'USD'][i % 3], card: { brand: 'visa', last4: '4242', exp_month: 12, exp_year: 2030 },
    reference: `order-${String(i).padStart(6, '0')}`, description: 'Two boxes of limestone setts, sawn on six sides',
    metadata: { channel: 'web' }, created_at: at, updated_at: at, version: 2,
  };
};
const seeds = 2000;

const entries = Array.from({ length: seeds }, (_, i) => entry(seeded(i)));

/** recent is a page of entries from memory. */
function recent(after, limit) {
  const from = entries.findIndex((e) => e.id > after);
  const data = from < 0 ? [] : entries.slice(from, from + limit);
  const has_more = from >= 0 && from + limit < entries.length;
  return { data, next_cursor: has_more ? data[limit - 1].id : '', has_more };
}

/** stream says on a response that it is there, until the client leaves. */
function stream(req, res) {
  req.socket.setTimeout(0); // a stream outlives the server's time-out
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const say = () => res.write(': here\n\n');
  say();
  const beat = setInterval(say, limits.beat);
  res.on('close', () => clearInterval(beat));
}

/** harden sets the time-outs that a server should have. */
function harden(server) {
  Object.assign(server, {
    headersTimeout: limits.headersTimeout, requestTimeout: limits.requestTimeout, timeout: limits.socketTimeout, keepAliveTimeout: limits.keepAliveTimeout,
  });
}

const store = () => (Database ? new Store() : null);

module.exports = { Database, settings, limits, issuer, audience, origin, may, quote, burn, seed, store, recent, stream, harden };
