// What the peers that serve GraphQL have in common: the schema of ../../shop,
// what resolves it, and the limit of depth that graphql-js has not got.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { GraphQLError } = require('graphql');
const fastify = require('../fastify/app');
const shop = require('../shop');

const typeDefs = fs.readFileSync(path.join(__dirname, '../../shop/schema.graphql'), 'utf8');
const maxDepth = 20;

const store = shop.store();
const categories = { name: 'stone', within: [{ name: 'granite', within: [] }, { name: 'limestone', within: [] }] };

/** page has the size that it may have, or fails. */
const page = (limit, of) => {
  if (limit < 1 || limit > 100) throw new GraphQLError('a page has 1 to 100 entries');
  return { nodes: of(limit) };
};

/** read fails unless the role may read payments. */
const read = (context) => {
  if (!shop.settings.Bare && !shop.may(context.role, 'payments:read')) throw new GraphQLError('denied');
};

const resolvers = {
  Query: {
    paymentsRecent(_, { first }, context) {
      read(context);
      return page(first, (limit) => shop.recent('', limit).data);
    },
    paymentsList(_, { first }, context) {
      read(context);
      return page(first, (limit) => store.list('mer_1', '', limit).data);
    },
    categories: () => categories,
  },
};

/** depthLimit is a rule of validation. */
const depthLimit = (context) => ({
  Document: {
    leave(document) {
      const fragments = new Map(document.definitions.filter((d) => d.kind === 'FragmentDefinition').map((d) => [d.name.value, d]));
      const deep = (set, seen) => Math.max(0, ...(set?.selections ?? []).map((s) => {
        if (s.kind === 'Field') return 1 + deep(s.selectionSet, seen);
        if (s.kind === 'InlineFragment') return deep(s.selectionSet, seen);
        const name = s.name.value;
        return seen.includes(name) ? 0 : deep(fragments.get(name)?.selectionSet, [...seen, name]);
      }));
      if (document.definitions.some((d) => d.kind === 'OperationDefinition' && deep(d.selectionSet, []) > maxDepth)) {
        context.reportError(new GraphQLError(`the document is deeper than ${maxDepth}`));
      }
    },
  },
});

const text = { type: 'string' };
const entries = {
  type: 'object',
  properties: {
    data: { type: 'array', items: { type: 'object', properties: { id: text, amount: { type: 'integer' }, currency: text, status: text, reference: text } } },
    next_cursor: text, has_more: { type: 'boolean' },
  },
};

/**
 * build is the peer Fastify with the same entries by REST, and with what
 * register() adds to it: routes that only those reach whose token is good.
 */
async function build(register) {
  const app = await fastify.build();
  const guard = shop.settings.Bare ? {} : { onRequest: fastify.allow('payments:read') };
  app.get('/v1/recent', { ...guard, schema: { querystring: fastify.paging, response: { 200: entries } } },
    async (req) => shop.recent(req.query.cursor, req.query.limit));
  await app.register(async (scope) => {
    if (!shop.settings.Bare) scope.addHook('onRequest', fastify.authenticate);
    await register(scope);
  });
  return app;
}

/** context is what resolvers know of a request. */
const context = (req) => ({ role: req.user?.role });

module.exports = { build, typeDefs, resolvers, depthLimit, maxDepth, context };
