// A worker for each processor, as all Node peers have. What they serve is loaded
// after tracing has begun, or it would not be traced.
'use strict';

/** serve runs the peer whose GraphQL register(app, shop) adds to Fastify. */
exports.serve = (register) => require('../cluster').run(async () => {
  const shop = require('./shop');
  const { settings, harden } = require('../shop');
  const app = await shop.build((scope) => register(scope, shop));
  await app.listen({ port: 0, host: '127.0.0.1' });
  if (!settings.Bare) harden(app.server);
});
