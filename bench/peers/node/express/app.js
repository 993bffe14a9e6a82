'use strict';

const crypto = require('node:crypto');
const cors = require('cors');
const express = require('express');
const { rateLimit } = require('express-rate-limit');
const helmet = require('helmet').default;
const jwt = require('jsonwebtoken');
const pino = require('pino');
const { pinoHttp } = require('pino-http');
const { Histogram } = require('prom-client');
const { z } = require('zod');
const shop = require('../shop');

const { settings, limits } = shop;

const Order = z.object({
  amount: z.int().min(1).max(99_999_999_999),
  currency: z.enum(['EUR', 'GBP', 'USD']),
  card: z.object({
    number: z.string().regex(/^[0-9]{12,19}$/),
    exp_month: z.int().min(1).max(12),
    exp_year: z.int().min(2000).max(2099),
    cvc: z.string().regex(/^[0-9]{3,4}$/),
  }),
  reference: z.string().min(1).max(64).regex(/^[A-Za-z0-9-]+$/),
  description: z.string().max(500).optional(),
  metadata: z.record(z.string(), z.string()).refine((m) => Object.keys(m).length <= 20).optional(),
  capture: z.boolean().optional(),
  merchant_id: z.string().optional(),
});
const Paging = z.object({ limit: z.coerce.number().int().min(1).max(100), cursor: z.string().default('') });
const Burning = z.object({ rounds: z.coerce.number().int().min(1).max(limits.rounds) });

const problem = (res, status, title) => res.status(status).json({ status, title });

const check = (schema, part) => (req, res, next) => {
  const parsed = schema.safeParse(req[part]);
  if (!parsed.success) return problem(res, 422, 'invalid');
  res.locals.in = parsed.data;
  return next();
};

const allow = (permission) => (req, res, next) => {
  const [scheme, token] = (req.get('authorization') ?? '').split(' ');
  if (scheme !== 'Bearer' || !token) return problem(res, 401, 'unauthenticated');
  let claims;
  try {
    claims = jwt.verify(token, settings.Secret, { algorithms: ['HS256'], issuer: shop.issuer, audience: shop.audience });
  } catch {
    return problem(res, 401, 'unauthenticated');
  }
  if (!shop.may(claims.role, permission)) return problem(res, 403, 'denied');
  return next();
};

const latency = new Histogram({
  name: 'http_request_duration_seconds', help: 'Time to answer, by route.', labelNames: ['method', 'route', 'status'],
});

function instrument(req, res, next) {
  const end = latency.startTimer();
  res.on('finish', () => end({ method: req.method, route: req.route?.path ?? 'none', status: res.statusCode }));
  next();
}

const app = express();
app.disable('x-powered-by');
if (!settings.Bare) {
  app.use(
    pinoHttp({
      logger: pino(),
      genReqId: (req, res) => {
        const id = req.headers['x-request-id'] ?? crypto.randomUUID();
        res.setHeader('X-Request-Id', id);
        return id;
      },
      serializers: {
        req: (req) => ({ id: req.id, method: req.method, url: req.url, client: req.remoteAddress }),
        res: (res) => ({ status: res.statusCode }),
      },
    }),
    instrument,
    helmet({ contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"] } } }),
    cors({ origin: [shop.origin], methods: ['GET', 'POST'], allowedHeaders: ['Authorization', 'Content-Type'] }),
    rateLimit({ windowMs: limits.window, limit: settings.Limit, standardHeaders: 'draft-8', legacyHeaders: false }),
  );
}
app.use(express.json({ limit: limits.body }));

const guard = (permission) => (settings.Bare ? [] : [allow(permission)]);
const read = guard('payments:read');
const write = guard('payments:write');
const found = (res, p) => (p ? res.json(p) : problem(res, 404, 'not found'));

app.get('/v1/state', (_, res) => res.json({ status: 'ok' }));
app.get('/v1/burn', check(Burning, 'query'), (_, res) => res.json(shop.burn(res.locals.in.rounds)));
app.post('/v1/quotes', ...write, check(Order, 'body'), (_, res) => res.status(201).json(shop.quote(res.locals.in)));
const store = shop.store();
if (store) {
  app.post('/v1/payments', ...write, check(Order, 'body'), (_, res) => res.status(201).json(store.create(res.locals.in)));
  app.get('/v1/payments', ...read, check(Paging, 'query'), (_, res) => res.json(store.list('mer_1', res.locals.in.cursor, res.locals.in.limit)));
  app.get('/v1/payments/:id', ...read, (req, res) => found(res, store.find(req.params.id)));
  app.get('/v1/cached/:id', ...read, (req, res) => found(res, store.cached(req.params.id)));
}
app.get('/v1/events', ...read, shop.stream);
app.use((_, res) => problem(res, 404, 'not found'));
// eslint-disable-next-line no-unused-vars -- Express knows an error handler by its four parameters
app.use((err, _req, res, _next) => problem(res, err.status ?? 500, err.expose ? err.type : 'internal'));

module.exports = { app };
