// Follows a stream with the clients of graphql-sse and graphql-ws while the
// instance behind the URL changes: they come back, and say what they saw last.
import { createClient as createEvents } from 'graphql-sse';
import { createClient as createSocket } from 'graphql-ws';
import WebSocket from 'ws';

const url = process.argv[2];
const as = { authorization: 'Bearer ann' };
const soon = () => new Promise((resolve) => setTimeout(resolve, 50));

async function follow(name, client) {
  const operation = { query: 'subscription { newsDrip { n } }', extensions: {} };
  const got = [];
  for await (const result of client.iterate(operation)) {
    if (result.errors) {
      console.error(name, JSON.stringify(result.errors)); // that it is to come back
      continue;
    }
    operation.extensions.after = result.extensions.id;
    got.push(result.data.newsDrip.n);
  }
  console.log(JSON.stringify({ id: name, got }));
  await client.dispose();
}

await Promise.all([
  follow('events', createEvents({ url, headers: as, retryAttempts: 1000, retry: soon })),
  follow('socket', createSocket({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: as, retryAttempts: 1000, retryWait: soon, shouldRetry: () => true })),
]);
