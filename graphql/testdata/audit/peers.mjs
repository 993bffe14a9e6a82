// Speaks to the server whose URL is given with the clients of graphql-sse and
// graphql-ws, and prints one JSON object for each thing tried.
import { createClient as createEvents } from 'graphql-sse';
import { createClient as createSocket } from 'graphql-ws';
import WebSocket from 'ws';

const url = process.argv[2];
const as = (token) => ({ authorization: `Bearer ${token}` });
const follow = { query: 'subscription { newsFollow(upto: 2) { n author { name } } }' };
const resumed = { query: 'subscription { newsFollow { n } }', extensions: { after: 'news_2' } };
const query = { query: '{ newsGet(id: "x") { n } }' };
const mutation = { query: 'mutation($n: Int64!) { newsWrite(n: $n, author_id: "") { n } }', variables: { n: 5 } };
const failing = { query: 'subscription { newsFail(upto: 1) { n } }' };
const refused = { query: 'subscription { newsFail { n } }' };
const invalid = { query: 'subscription { nothing }' };
const operations = { follow, resumed, query, mutation, failing, refused, invalid };

const code = (errors) => errors?.[0]?.extensions?.code ?? String(errors);
const tell = (id, got) => console.log(JSON.stringify({ id, got }));

async function all(client, operation) {
  const got = [];
  try {
    for await (const result of client.iterate(operation)) {
      got.push(result.errors ? code(result.errors) : result.data);
    }
  } catch (error) {
    got.push(Array.isArray(error) ? code(error) : error.code ?? error.message);
  }
  return got;
}

const events = createEvents({ url, headers: as('ann'), retryAttempts: 0 });
const socket = createSocket({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: as('ann'), lazy: true, retryAttempts: 0 });
for (const [name, client] of Object.entries({ events, socket })) {
  const results = await Promise.all(Object.values(operations).map((o) => all(client, o))); // all at once
  Object.keys(operations).forEach((o, i) => tell(`${name} ${o}`, results[i]));
  await client.dispose();
}

const stranger = createSocket({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: as('mallory'), retryAttempts: 0 });
tell('socket stranger', await all(stranger, query));

const beating = createSocket({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: as('ann'), keepAlive: 1, retryAttempts: 0 });
const pong = new Promise((resolve) => beating.on('pong', resolve));
const quiet = beating.iterate({ query: 'subscription { newsSilent(id: "1") { n } }' });
quiet.next().catch(() => {});
await pong;
tell('socket pong', ['heard']);
await quiet.return();
await beating.dispose();
