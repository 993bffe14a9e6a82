// The peer Mercurius: the peer Fastify with its GraphQL plugin. It keeps
// documents, and compiles those that come again, which is how it is quickest.
'use strict';

const { serve } = require('../graphql/serve');

serve(async (app, { typeDefs, resolvers, maxDepth, context }) => {
  const { NoSchemaIntrospectionCustomRule } = require('graphql');
  await app.register(require('mercurius'), {
    schema: typeDefs, resolvers, context, jit: 1, queryDepth: maxDepth, validationRules: [NoSchemaIntrospectionCustomRule],
  });
});
