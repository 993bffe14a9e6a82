// What a program does with the client that is generated for TypeScript: it ends
// with 0 if all of it is as it should be.
import assert from 'node:assert/strict';
import { ApiError, Conduit } from './out/conduit.js';

const baseUrl = process.argv[2];
const nobody = new Conduit({ baseUrl });
const { user } = await nobody.users.register({ user: { username: 'node', email: 'node@conduit.test', password: 'password1' } });
const api = new Conduit({ baseUrl, apiKey: user.token });
const { article } = await api.articles.publish({ article: { title: 'In Node', description: 'D', body: 'B', tagList: ['node'] } });
await api.articles.favorite({ slug: article.slug });
for (const [client, favorited] of [[api, true], [nobody, false]]) {
  const { articles } = await client.articles.list({ author: 'node' }); // who asks is recognized, and need not be
  assert.equal(articles.length, 1);
  assert.equal(articles[0].favorited, favorited);
}
const code = (call) => call.then(() => 'ok', (e) => (e instanceof ApiError ? e.code : String(e)));
assert.equal(await code(nobody.users.current()), 'unauthenticated');
assert.equal(await code(api.articles.get({ slug: 'none' })), 'article_not_found');
assert.equal(await code(api.articles.publish({ article: {} })), 'invalid');
await api.articles.delete({ slug: article.slug });
