// The peer Express, with the middlewares that its documentation names: helmet,
// cors, express-rate-limit, pino-http, jsonwebtoken, zod, prom-client.
'use strict';

require('../cluster').run(() => {
  const { app } = require('./app');
  const { settings, harden } = require('../shop');
  const server = app.listen(0, '127.0.0.1');
  if (!settings.Bare) harden(server);
});
