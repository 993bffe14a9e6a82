// The peer Fastify, with its own plugins and logger. Bodies are checked by
// schemas, and answers written by them, as its documentation advises.
'use strict';

require('../cluster').run(async () => {
  const { build } = require('./app');
  const { settings, harden } = require('../shop');
  const app = await build();
  await app.listen({ port: 0, host: '127.0.0.1' });
  if (!settings.Bare) harden(app.server);
});
