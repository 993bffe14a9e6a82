// Fastify with @fastify/sse: whoever listens at /live gets what is posted to /say.
'use strict';

const fastify = require('fastify')();
const all = new Set();

fastify.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) => done(null, body));

fastify.register(require('@fastify/sse'), { heartbeatInterval: 15_000, serializer: (text) => text }).after(() => {
  fastify.get('/live', { sse: { kind: 'only' } }, async (_, reply) => {
    reply.sse.keepAlive();
    await reply.sse.send({ data: '{}' });
    all.add(reply.sse);
    reply.sse.onClose(() => all.delete(reply.sse));
  });
  fastify.post('/say', async (request, reply) => {
    for (const one of all) one.send({ data: request.body }).catch(() => all.delete(one));
    reply.code(204);
  });
});

fastify.listen({ port: 0, host: '127.0.0.1' }).then((at) => console.log(at));
process.stdin.on('end', () => process.exit(0)).resume();
