// The peer Apollo Server on Fastify, as its documentation shows. It keeps parsed
// and validated documents.
'use strict';

const { serve } = require('../graphql/serve');

serve(async (app, { typeDefs, resolvers, depthLimit, context }) => {
  const { ApolloServer } = require('@apollo/server');
  const { default: fastifyApollo } = require('@as-integrations/fastify');
  const server = new ApolloServer({ typeDefs, resolvers, validationRules: [depthLimit], introspection: false, stopOnTerminationSignals: false });
  await server.start();
  await app.register(fastifyApollo(server), { path: '/graphql', method: ['GET', 'POST'], context: async (req) => context(req) });
});
