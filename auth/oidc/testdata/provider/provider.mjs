// A certified OpenID provider on a free port of the loopback address, for the
// tests. It prints its issuer as a line of JSON, and ends when its input does.
import { createServer } from 'node:http'
import { once } from 'node:events'
import { Provider } from 'oidc-provider'

const settings = JSON.parse(process.argv[2])
const server = createServer((request, response) => handle(request, response))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const issuer = `http://127.0.0.1:${server.address().port}`

const people = {
  ann: { email: 'ann@corp.test', email_verified: true, name: 'Ann' },
  eve: { email: 'ann@corp.test', email_verified: false, name: 'Eve' },
  bob: { email: 'bob@elsewhere.test', email_verified: true, name: 'Bob' },
}

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'pay',
    client_secret: 'a-secret-that-only-tests-know',
    redirect_uris: settings.redirects,
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }, {
    client_id: 'lax', // may leave out PKCE, as a careless provider lets everybody
    client_secret: 'a-secret-that-only-tests-know',
    redirect_uris: settings.redirects,
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }, {
    client_id: 'phone',
    token_endpoint_auth_method: 'none',
    redirect_uris: settings.redirects,
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }],
  pkce: { required: (_, client) => client.clientId !== 'lax' },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  findAccount: (_, sub) => people[sub] && { accountId: sub, claims: () => ({ sub, ...people[sub] }) },
  cookies: { keys: ['of-no-importance'] },
  features: { devInteractions: { enabled: true } },
})
const handle = provider.callback()

console.log(JSON.stringify({ issuer }))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
