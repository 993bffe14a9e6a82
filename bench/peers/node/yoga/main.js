// The peer GraphQL Yoga on Fastify, as its documentation shows. It keeps parsed
// and validated documents.
'use strict';

const { serve } = require('../graphql/serve');

serve(async (app, { typeDefs, resolvers, depthLimit, context }) => {
  const { NoSchemaIntrospectionCustomRule } = require('graphql');
  const { createSchema, createYoga } = require('graphql-yoga');
  const yoga = createYoga({
    schema: createSchema({ typeDefs, resolvers }), context: ({ req }) => context(req), logging: false, graphiql: false, landingPage: false,
    cors: false, // the stack has it
    plugins: [{
      onValidate({ addValidationRule }) {
        addValidationRule(depthLimit);
        addValidationRule(NoSchemaIntrospectionCustomRule);
      },
    }],
  });
  app.addContentTypeParser('multipart/form-data', {}, (_req, _payload, done) => done(null));
  app.route({ url: yoga.graphqlEndpoint, method: ['GET', 'POST'], handler: (req, reply) => yoga.handleNodeRequestAndResponse(req, reply, { req, reply }) });
});
