'use strict';

const crypto = require('node:crypto');
const Ajv = require('ajv').default;
const Fastify = require('fastify');
const { Histogram } = require('prom-client');
const shop = require('../shop');

const { settings, limits } = shop;

const order = {
  type: 'object',
  required: ['amount', 'currency', 'card', 'reference'],
  properties: {
    amount: { type: 'integer', minimum: 1, maximum: 99_999_999_999 },
    currency: { enum: ['EUR', 'GBP', 'USD'] },
    card: {
      type: 'object',
      required: ['number', 'exp_month', 'exp_year', 'cvc'],
      properties: {
        number: { type: 'string', pattern: '^[0-9]{12,19}$' },
        exp_month: { type: 'integer', minimum: 1, maximum: 12 },
        exp_year: { type: 'integer', minimum: 2000, maximum: 2099 },
        cvc: { type: 'string', pattern: '^[0-9]{3,4}$' },
      },
    },
    reference: { type: 'string', minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9-]+$' },
    description: { type: 'string', maxLength: 500 },
    metadata: { type: 'object', maxProperties: 20, additionalProperties: { type: 'string' } },
    capture: { type: 'boolean' },
    merchant_id: { type: 'string' },
  },
};
const text = { type: 'string' };
const whole = { type: 'integer' };
const payment = {
  type: 'object',
  properties: {
    id: text, merchant_id: text, status: text, amount: whole, captured_amount: whole, refunded_amount: whole, currency: text,
    card: { type: 'object', properties: { brand: text, last4: text, exp_month: whole, exp_year: whole } },
    reference: text, description: text, metadata: { type: ['object', 'null'], additionalProperties: text },
    created_at: text, updated_at: text, version: whole,
  },
};
const page = { type: 'object', properties: { data: { type: 'array', items: payment }, next_cursor: text, has_more: { type: 'boolean' } } };
const paging = {
  type: 'object', required: ['limit'],
  properties: { limit: { type: 'integer', minimum: 1, maximum: 100 }, cursor: { type: 'string', default: '' } },
};
const burning = { type: 'object', required: ['rounds'], properties: { rounds: { type: 'integer', minimum: 1, maximum: limits.rounds } } };

const problem = (reply, status, title) => reply.code(status).send({ status, title });

async function build() {
  const app = Fastify(settings.Bare ? {} : {
    logger: true, disableRequestLogging: true, genReqId: () => crypto.randomUUID(), requestIdHeader: 'x-request-id',
    bodyLimit: limits.body, connectionTimeout: limits.socketTimeout, requestTimeout: limits.requestTimeout, keepAliveTimeout: limits.keepAliveTimeout,
  });
  // A query's numbers are text and are converted; a body's are not, and what
  // is none is refused.
  const strict = new Ajv({ useDefaults: true, removeAdditional: true, allowUnionTypes: true });
  const lenient = new Ajv({ useDefaults: true, removeAdditional: true, coerceTypes: 'array', allowUnionTypes: true });
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? strict : lenient).compile(schema));
  app.setErrorHandler((err, _, reply) => {
    const status = err.validation ? 422 : err.statusCode ?? 500;
    return problem(reply, status, status < 500 ? err.code ?? 'refused' : 'internal');
  });
  app.setNotFoundHandler((_, reply) => problem(reply, 404, 'not found'));
  if (!settings.Bare) await stack(app);

  const guard = (permission) => (settings.Bare ? {} : { onRequest: allow(permission) });
  const read = guard('payments:read');
  const write = guard('payments:write');
  const found = (reply, p) => p ?? problem(reply, 404, 'not found');

  app.get('/v1/state', { schema: { response: { 200: { type: 'object', properties: { status: text } } } } }, async () => ({ status: 'ok' }));
  app.get('/v1/burn', { schema: { querystring: burning, response: { 200: { type: 'object', properties: { sum: whole } } } } },
    async (req) => shop.burn(req.query.rounds));
  app.post('/v1/quotes', { ...write, schema: { body: order, response: { 201: payment } } }, async (req, reply) => {
    reply.code(201);
    return shop.quote(req.body);
  });
  const store = shop.store();
  if (store) {
    app.post('/v1/payments', { ...write, schema: { body: order, response: { 201: payment } } }, async (req, reply) => {
      reply.code(201);
      return store.create(req.body);
    });
    app.get('/v1/payments', { ...read, schema: { querystring: paging, response: { 200: page } } },
      async (req) => store.list('mer_1', req.query.cursor, req.query.limit));
    app.get('/v1/payments/:id', { ...read, schema: { response: { 200: payment } } }, async (req, reply) => found(reply, store.find(req.params.id)));
    app.get('/v1/cached/:id', { ...read, schema: { response: { 200: payment } } }, async (req, reply) => found(reply, store.cached(req.params.id)));
  }
  app.get('/v1/events', read, (req, reply) => {
    reply.hijack();
    shop.stream(req.raw, reply.raw);
  });
  return app;
}

async function stack(app) {
  const latency = new Histogram({
    name: 'http_request_duration_seconds', help: 'Time to answer, by route.', labelNames: ['method', 'route', 'status'],
  });
  app.addHook('onRequest', async (req, reply) => {
    reply.header('x-request-id', req.id);
  });
  app.addHook('onResponse', async (req, reply) => {
    const route = req.routeOptions.url ?? 'none';
    latency.observe({ method: req.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    req.log.info({ method: req.method, path: req.url, status: reply.statusCode, took: reply.elapsedTime, client: req.ip }, 'request');
  });
  await app.register(require('@fastify/helmet'), { contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"] } } });
  await app.register(require('@fastify/cors'), { origin: [shop.origin], methods: ['GET', 'POST'], allowedHeaders: ['Authorization', 'Content-Type'] });
  await app.register(require('@fastify/rate-limit'), { max: settings.Limit, timeWindow: limits.window });
  await app.register(require('@fastify/jwt'), {
    secret: settings.Secret, verify: { algorithms: ['HS256'], allowedIss: shop.issuer, allowedAud: shop.audience, requiredClaims: ['exp'] },
  });
}

const verified = async (req) => {
  try {
    await req.jwtVerify();
    return true;
  } catch {
    return false;
  }
};

const authenticate = async (req, reply) => {
  if (!await verified(req)) return problem(reply, 401, 'unauthenticated');
};

const allow = (permission) => async (req, reply) => {
  if (!await verified(req)) return problem(reply, 401, 'unauthenticated');
  if (!shop.may(req.user.role, permission)) return problem(reply, 403, 'denied');
};

module.exports = { build, authenticate, allow, paging };
