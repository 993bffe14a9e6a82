// ws beside Fastify: whoever listens at /live gets what is posted to /say.
'use strict';

const fastify = require('fastify')();
const { WebSocketServer, WebSocket } = require('ws');

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

fastify.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) => done(null, body));
fastify.post('/say', async (request, reply) => {
  for (const one of sockets.clients) if (one.readyState === WebSocket.OPEN) one.send(request.body);
  reply.code(204);
});
fastify.server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (one) => {
    one.alive = true;
    one.on('pong', () => { one.alive = true; });
    one.on('error', () => one.terminate());
    one.send('{}');
  });
});
setInterval(() => { // as its documentation advises
  for (const one of sockets.clients) {
    if (!one.alive) { one.terminate(); continue; }
    one.alive = false;
    one.ping();
  }
}, 15_000);

fastify.listen({ port: 0, host: '127.0.0.1' }).then((at) => console.log(at));
process.stdin.on('end', () => process.exit(0)).resume();
