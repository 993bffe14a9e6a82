// The API reference: draws an OpenAPI 3.1 document. Texts of the document
// become text nodes, never markup.

const home = new URL('..', import.meta.url);
const $ = id => document.getElementById(id);
const methods = ['get', 'post', 'put', 'patch', 'delete'];
let doc, token = '';

// h makes an element: h('a', {href}, 'text', child).
function h(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith('on')) e.addEventListener(key.slice(2), value);
    else if (value === true) e.setAttribute(key, '');
    else if (value !== false && value != null) e.setAttribute(key, value);
  }
  e.append(...children.flat(9).filter(c => c != null && c !== false));
  return e;
}

// ---- The document ----

// at follows references; what stands beside one wins.
function at(node) {
  const seen = new Set();
  while (node && node.$ref && !seen.has(node.$ref)) {
    seen.add(node.$ref);
    const { $ref, ...rest } = node;
    const target = $ref.slice(2).split('/').reduce((n, k) => n?.[k.replaceAll('~1', '/').replaceAll('~0', '~')], doc);
    node = { ...target, ...rest, component: $ref.slice($ref.lastIndexOf('/') + 1) };
  }
  return node ?? {};
}

// plain takes null out of a schema.
function plain(schema) {
  const s = at(schema);
  const some = s.anyOf?.filter(o => o.type !== 'null');
  if (some?.length === 1) return { ...plain(some[0]), nullable: true, ...(s.description && { description: s.description }) };
  if (!Array.isArray(s.type)) return s;
  return { ...s, type: s.type.find(t => t !== 'null'), nullable: true, enum: s.enum?.filter(v => v !== null) };
}

function operations() {
  const all = [];
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of Object.keys(item).filter(m => methods.includes(m))) {
      const op = item[method];
      const body = at(op.requestBody);
      all.push({
        ...op, id: op.operationId, method, path, tag: op.tags?.[0] ?? '',
        parameters: (op.parameters ?? []).map(at),
        input: body.content?.['application/json']?.schema, needsBody: body.required,
        answers: Object.entries(op.responses).map(([status, r]) => ({ ...at(r), status: +status, shared: !!r.$ref })),
        open: (op.security ?? doc.security ?? []).length === 0,
      });
    }
  }
  return all;
}

const streamOf = answer => answer?.content?.['text/event-stream'];

const codesOf = answer => answer.content?.['application/problem+json']?.schema.allOf?.[1]?.properties.code.enum ?? [];

// ---- Schemas in words ----

function kind(schema) {
  const s = plain(schema);
  let text = s.type ?? 'anything';
  if (s.enum) text = s.type;
  else if (s.type === 'array') text = 'list of ' + kind(s.items);
  else if (s.type === 'object' && typeof s.additionalProperties === 'object') text = 'map of ' + kind(s.additionalProperties);
  else if (s.contentEncoding) text = s.contentEncoding;
  else if (s.format && !['int64', 'int32', 'double', 'float', 'password'].includes(s.format)) text = s.format;
  return text + (s.nullable ? ' or null' : '');
}

const range = (least, most, unit) => {
  if (least == null && most == null) return [];
  const words = least == null ? `at most ${most}` : most == null ? `at least ${least}` : least === most ? `${least}` : `${least} … ${most}`;
  return [words + (unit ? ' ' + unit + ((most ?? least) === 1 ? '' : 's') : '')];
};

// facts lists the constraints that are worth a reader's time.
function facts(schema) {
  const s = plain(schema);
  const far = n => n == null || Math.abs(n) >= 2 ** 53 || (s.format === 'int32' && Math.abs(n) >= 2 ** 31 - 1) ? undefined : n;
  return [
    ...(s.enum ?? (s.type === 'array' ? plain(s.items).enum : null) ?? []).map(v => JSON.stringify(v)),
    ...range(far(s.minimum), far(s.maximum)),
    ...(s.contentEncoding ? [] : range(s.minLength, s.maxLength === 4096 && !s.minLength ? undefined : s.maxLength, 'character')),
    ...range(s.minItems, s.maxItems, 'item'),
    ...range(s.minProperties, s.maxProperties, 'member'),
    // What every text refuses, control characters, goes without saying.
    ...[s.pattern, ...(s.allOf ?? []).map(a => a.pattern)].filter(p => p && !p.startsWith('^[^\u0000') && !s.contentEncoding),
    ...(s.uniqueItems ? ['no item twice'] : []),
    ...(s.writeOnly ? ['secret'] : []),
  ];
}

// inner returns the object whose members are worth listing under a member.
function inner(schema) {
  const s = plain(schema);
  if (s.type === 'array') return inner(s.items);
  if (s.type === 'object' && typeof s.additionalProperties === 'object') return inner(s.additionalProperties);
  return s.properties && s;
}

function members(schema, depth = 0, above = []) {
  const s = inner(schema);
  if (!s || depth > 4) return [];
  return Object.entries(s.properties).flatMap(([name, of]) => {
    const deeper = inner(of)?.component;
    const again = deeper && [...above, s.component].includes(deeper);
    return [
      row(name, of, s.required?.includes(name), depth, again && `as ${deeper} above`),
      ...(again ? [] : members(of, depth + 1, [...above, s.component])),
    ];
  });
}

function row(name, schema, must, depth, note) {
  return h('tr', null,
    h('th', { scope: 'row', class: 'd' + depth }, h('code', null, name), must && h('span', { class: 'must' }, 'required')),
    h('td', null, h('span', { class: 'kind' }, kind(schema) + ' '), few(facts(schema).map(f => [h('span', { class: 'fact' }, f), ' '])),
      note && h('span', { class: 'kind' }, note), text(at(schema).description)));
}

// few folds away what would be a wall of values.
const few = nodes => nodes.length <= 16 ? nodes : [nodes.slice(0, 8), h('details', null, h('summary', null, `${nodes.length - 8} more`), nodes.slice(8))];

const table = (caption, rows, first) => rows.length > 0 && [
  h('h4', null, caption),
  h('table', null, h('thead', null, h('tr', null, h('th', { scope: 'col' }, first), h('th', { scope: 'col' }, 'What it is'))), h('tbody', null, rows)),
];

const an = noun => (/^[AEIO]/i.test(noun) ? 'an ' : 'a ') + noun;

// text draws the little CommonMark that doc comments become.
function text(source) {
  if (!source) return null;
  const inline = line => line.split(/(`[^`]+`)/).map(t => /^`.+`$/.test(t) ? h('code', null, t.slice(1, -1)) : t);
  return h('div', { class: 'text' }, source.split(/\n{2,}/).map(block => {
    if (/^( {4}|\t)/.test(block)) return h('pre', null, block.replace(/^( {4}|\t)/gm, ''));
    if (/^#+ /.test(block)) return h('p', null, h('strong', null, block.replace(/^#+ /, '')));
    if (/^- /.test(block)) return h('ul', null, block.split(/\n- /).map(i => h('li', null, inline(i.replace(/^- /, '')))));
    return h('p', null, inline(block));
  }));
}

// ---- Examples ----

const formats = {
  'date-time': '2026-01-31T12:00:00Z', date: '2026-01-31', email: 'someone@example.com', uri: 'https://example.com/',
  uuid: '3f0c2b1e-8d52-4a7b-9c41-5e6f7a8b9c0d', hostname: 'example.com', ipv4: '192.0.2.1', ipv6: '2001:db8::1',
};

function example(schema, whole, depth = 0) {
  const s = plain(schema);
  if (s.examples) return s.examples[0];
  if (s.enum) return s.enum[0];
  switch (s.type) {
    case 'object': {
      const out = {};
      for (const [name, of] of Object.entries(s.properties ?? {})) {
        if (s.required?.includes(name) || (whole && depth < 3)) out[name] = example(of, whole, depth + 1);
      }
      return out;
    }
    case 'array': {
      const n = Math.max(s.minItems ?? 0, depth < 3 ? 1 : 0);
      return Array.from({ length: Math.min(n, 3) }, () => example(s.items, whole, depth + 1));
    }
    case 'string': return word(s);
    case 'integer': case 'number': return Math.min(Math.max(s.minimum ?? 1, 1), s.maximum ?? 1);
    case 'boolean': return true;
  }
  return null;
}

function word(s) {
  if (s.contentEncoding) return 'AAAA'.repeat(Math.ceil((s.minLength ?? 4) / 4));
  if (formats[s.format]) return formats[s.format];
  const fits = t => [s.pattern, ...(s.allOf ?? []).map(a => a.pattern)].every(p => !p || new RegExp(p, 'u').test(t));
  const pad = t => t.padEnd(s.minLength ?? 0, t || 'a').slice(0, s.maxLength ?? 4096);
  const all = [s.format === 'password' && 'a secret word', 'text', 'order-1', '1', s.pattern && grown(s.pattern)];
  return all.filter(Boolean).map(pad).find(fits) ?? pad('text');
}

// grown makes a text for the simple patterns: letters, classes and counts.
function grown(pattern) {
  const part = /\[(\^?)((?:\\.|[^\]])+)\]|\\(.)|([^^$\\()[\]{}*+?|])/y;
  const count = /\{(\d+)(?:,\d*)?\}|[*+?]/y;
  let out = '', i = pattern.startsWith('^') ? 1 : 0;
  while (i < pattern.length && pattern[i] !== '$') {
    part.lastIndex = i;
    const m = part.exec(pattern);
    if (!m) return '';
    i = part.lastIndex;
    const [, not, set, escape, letter] = m;
    let from = letter ?? { d: '1234567890', w: 'abcdefgh' }[escape] ?? escape;
    if (set) from = not ? 'abcd' : spread(set);
    count.lastIndex = i;
    const c = count.exec(pattern);
    if (c) i = count.lastIndex;
    const n = !c ? 1 : c[1] ? Math.max(+c[1], 1) : c[0] === '+' ? 4 : 1;
    for (let k = 0; k < n; k++) out += from[k % from.length];
  }
  return out;
}

function spread(set) {
  const first = set.replace(/\\d/g, '0-9').replace(/\\w/g, 'a-z').match(/(.)-(.)/);
  if (!first) return set.replace(/\\(.)/g, '$1');
  let out = '';
  for (let c = first[1].codePointAt(0); c <= first[2].codePointAt(0) && out.length < 10; c++) out += String.fromCodePoint(c);
  return first[1] === '0' ? out.slice(1) + '0' : out;
}

const pretty = value => JSON.stringify(value, null, 2);

// coloured marks names, texts and numbers of a JSON text.
function coloured(json) {
  const parts = json.split(/("(?:\\.|[^"\\])*"(?:\s*:)?|\b(?:true|false|null)\b|-?\d[\d.eE+-]*)/);
  return parts.map((p, i) => i % 2 ? h('span', { class: p.endsWith(':') ? 'k' : p[0] === '"' ? 's' : 'n' }, p) : p);
}

function sample(title, value, json) {
  const status = h('span', { role: 'status' });
  const copy = h('button', { type: 'button', 'aria-label': 'Copy: ' + title, onclick: async () => {
    try {
      await navigator.clipboard.writeText(value);
      copy.textContent = status.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(pre);
      status.textContent = 'Selected';
    }
    setTimeout(() => { copy.textContent = 'Copy'; status.textContent = ''; }, 2000);
  } }, 'Copy');
  const pre = h('pre', { tabindex: 0, 'aria-label': title }, json ? coloured(value) : value);
  status.classList.add('skip');
  return h('div', { class: 'sample' }, h('header', null, title, h('span', null, copy, status)), pre);
}

// ---- Requests ----

// request makes what fetch and curl need from the values of a form.
function request(op, values, body) {
  let path = op.path;
  const query = new URLSearchParams(), headers = {};
  for (const p of op.parameters) {
    const value = values[p.in + ' ' + p.name] ?? '';
    if (p.in === 'path') path = path.replace(`{${p.name}}`, encodeURIComponent(value));
    else if (value === '') continue;
    else if (p.in === 'header') headers[p.name] = value;
    else for (const one of plain(p.schema).type === 'array' ? value.split(',') : [value]) query.append(p.name, one.trim());
  }
  if (body) headers['Content-Type'] = 'application/json';
  const base = new URL(doc.servers?.[0]?.url ?? '/', home);
  return { url: new URL(path.slice(1) + (query.size ? '?' + query : ''), base).href, method: op.method.toUpperCase(), headers, body };
}

const exampleOf = p => p.in === 'header' && p.name === 'Idempotency-Key' ? uuid() : p.required ? [example(p.schema)].flat().join() : '';

function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, '0')).join('');
}

function curl(op) {
  const values = Object.fromEntries(op.parameters.map(p => [p.in + ' ' + p.name, exampleOf(p)]));
  const r = request(op, values, op.input && JSON.stringify(example(op.input)));
  const quote = s => `'${s.replaceAll("'", `'\\''`)}'`;
  const lines = [`curl ${op.answers.some(streamOf) ? '-N ' : ''}${r.method === 'GET' ? '' : `-X ${r.method} `}${quote(r.url)}`];
  if (!op.open) lines.push('-H "Authorization: Bearer $TOKEN"');
  for (const [name, value] of Object.entries(r.headers)) lines.push('-H ' + quote(`${name}: ${value}`));
  if (r.body) lines.push('-d ' + quote(r.body));
  return lines.join(' \\\n  ');
}

function tryIt(op) {
  const name = p => `${op.id} ${p.in} ${p.name}`;
  const result = h('div', { class: 'result', role: 'status' });
  const fields = op.parameters.map(p => h('div', null, h('label', { for: name(p) }, p.name, h('span', { class: 'kind' }, ` ${p.in}${p.required ? ', required' : ''}`)),
    h('input', { id: name(p), name: p.in + ' ' + p.name, value: exampleOf(p), autocomplete: 'off', spellcheck: 'false' })));
  const bodyId = op.id + ' body';
  const area = op.input && h('textarea', { id: bodyId, spellcheck: 'false' }, pretty(example(op.input)));
  const button = h('button', { class: 'send' }, 'Send');
  let open; // a stream that goes on
  const send = async event => {
    event.preventDefault();
    if (open) return open.abort();
    const r = request(op, Object.fromEntries([...new FormData(event.target)]), area?.value);
    if (token && !op.open) r.headers.Authorization = 'Bearer ' + token;
    button.disabled = true;
    const start = performance.now(), control = new AbortController();
    try {
      const response = await fetch(r.url, { ...r, signal: control.signal });
      if (response.headers.get('Content-Type') === 'text/event-stream') {
        open = control;
        button.disabled = false;
        button.textContent = 'Stop';
        await listen(response, result);
      } else result.replaceChildren(...await shown(response, start));
    } catch (error) {
      if (!control.signal.aborted) result.replaceChildren(h('p', { class: 'status bad' }, 'No answer: ' + error.message));
    }
    open = undefined;
    button.textContent = 'Send';
    button.disabled = false;
    const key = event.target.elements['header Idempotency-Key'];
    if (key) key.value = uuid(); // the next click means a new thing
  };
  return h('form', { onsubmit: send }, fields,
    area && h('div', null, h('label', { for: bodyId }, 'body'), area),
    h('div', { class: 'row' }, button, !op.open && h('span', { class: 'hint' }, 'with the token from the top of the page')), result);
}

// listen shows a stream as it comes, the last of it if it is much.
async function listen(response, result) {
  const events = h('pre', { tabindex: 0, 'aria-label': 'Events' });
  result.replaceChildren(h('p', { class: 'status good' }, `${response.status} ${response.statusText}, a stream`), events);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) events.textContent = (events.textContent + part.value).slice(-20_000);
}

async function shown(response, start) {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const type = response.headers.get('Content-Type') ?? '';
  let body = `${bytes.length} bytes of ${type || 'no type'}`, json = false;
  if (/json|text|xml|csv|svg/.test(type)) body = new TextDecoder().decode(bytes);
  try { body = pretty(JSON.parse(body)); json = true; } catch { /* shown as it is */ }
  const headers = ['ETag', 'Location', 'Idempotency-Replayed', 'Retry-After', 'WWW-Authenticate', 'X-Request-Id']
    .filter(n => response.headers.has(n)).map(n => `${n}: ${response.headers.get(n)}`).join('\n');
  return [
    h('p', { class: 'status ' + (response.ok ? 'good' : 'bad') }, `${response.status} ${response.statusText} in ${Math.round(performance.now() - start)} ms`),
    headers && h('pre', null, headers),
    bytes.length > 0 && sample('Answer', body, json),
  ].filter(Boolean);
}

// ---- The page ----

const badge = op => h('span', { class: 'method ' + op.method }, op.method === 'delete' ? 'DEL' : op.method.toUpperCase());

const route = path => h('span', { class: 'path' }, path.split(/(\{[^}]+\})/).map((p, i) => i % 2 ? h('b', null, p) : p));

function chips(op) {
  const who = op['x-permissions']?.map(p => h('li', null, 'needs ', h('code', null, p))) ??
    [h('li', null, op.open ? 'open to everyone' : 'for everyone who is signed in')];
  return h('ul', { class: 'chips' }, who,
    op.parameters.some(p => p.name === 'Idempotency-Key') && h('li', null, 'safe to retry'),
    op.answers.some(streamOf) && h('li', null, op.parameters.some(p => p.name === 'Last-Event-ID') ? 'a stream, which goes on where it was' : 'a stream'),
    op.parameters.some(p => p.name === 'If-None-Match') && h('li', null, 'cacheable'),
    op.deprecated && h('li', { class: 'warn' }, 'deprecated'));
}

function errors(op) {
  const rows = list => list.map(a => h('tr', null, h('th', { scope: 'row' }, a.status),
    h('td', null, codesOf(a).map(c => [h('a', { href: new URL('problems/' + c.replaceAll('_', '-'), home) }, c), ' ']))));
  const all = op.answers.filter(a => a.status >= 400);
  const own = all.filter(a => !a.shared), shared = all.filter(a => a.shared);
  const list = of => h('table', { class: 'errors' }, h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Status'), h('th', { scope: 'col' }, 'Codes'))), h('tbody', null, rows(of)));
  return [
    h('h4', null, 'Errors'),
    own.length > 0 && list(own),
    shared.length > 0 && h('details', null, h('summary', null, `${shared.length}${own.length ? ' more' : ''} that most operations share`), list(shared)),
  ];
}

function article(op) {
  const good = op.answers.filter(a => a.status < 300);
  const stream = streamOf(good[0]);
  const out = good[0]?.content?.['application/json']?.schema ?? stream?.['x-itemSchema'].properties.data.contentSchema;
  const tried = h('details', { class: 'try', ontoggle: () => { if (tried.children.length === 1) tried.append(tryIt(op)); } }, h('summary', null, 'Try it'));
  const headers = good.flatMap(a => Object.entries(a.headers ?? {})).map(([name, of]) => row(name, { ...of.schema, description: of.description }, false, 0));
  return h('article', { class: 'op', id: op.id, 'aria-labelledby': op.id + '-title' },
    h('div', null,
      h('h3', { id: op.id + '-title' }, h('a', { href: '#' + op.id }, op.summary ?? op.id)),
      h('div', { class: 'route' }, badge(op), route(op.path), op.summary && h('span', { class: 'path kind' }, op.id)),
      chips(op),
      text(op.description),
      ['path', 'query', 'header'].map(where => table(where === 'path' ? 'In the path' : where === 'query' ? 'In the query' : 'Headers',
        op.parameters.filter(p => p.in === where).map(p => row(p.name, { ...plain(p.schema), description: p.description }, p.required, 0)), 'Parameter')),
      op.input && table('Body', members(op.input), 'Member'),
      h('h4', null, 'Answer'),
      good.map(a => h('p', { class: 'answer' }, h('code', null, a.status), ' ', a.description, out ? `${stream ? ', and then one event each' : ''} with ${an(at(out).component ?? kind(out))}` : a.content ? ' with a file' : '')),
      (out || headers.length > 0) && h('details', null, h('summary', null, 'Members and headers of the answer'),
        table('Members', out ? members(out) : [], 'Member'), table('Headers', headers, 'Header')),
      errors(op),
      tried),
    h('div', { class: 'side' },
      sample('curl', curl(op)),
      out && sample(stream ? 'Example of an item' : 'Example answer', pretty(example(out, true)), true)));
}

function mark() {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', 'M1 9h6v5H1zm8 0h6v5H9zM4.5 2h7v5h-7z');
  svg.append(path);
  return svg;
}

function draw() {
  const { title, version, description } = doc.info;
  document.title = `${title} API`;
  $('brand').textContent = title;
  const all = operations();
  const tags = (doc.tags ?? []).map(t => t.name);
  const groups = tags.map(tag => [tag, all.filter(o => o.tag === tag)]).filter(([, ops]) => ops.length);

  const search = h('input', { id: 'search', type: 'search', placeholder: 'Search', 'aria-label': 'Search the operations', oninput: () => filter(all) });
  $('side').replaceChildren(h('div', { class: 'brand' }, mark(), title), search,
    ...groups.map(([tag, ops]) => h('section', null, h('h2', null, tag), h('ul', null, ops.map(op =>
      h('li', { 'data-op': op.id }, h('a', { href: '#' + op.id }, badge(op), h('span', { class: op.deprecated && 'old' }, op.summary ?? op.id))))))),
    h('p', { class: 'none', role: 'status', hidden: true }, 'Nothing matches.'));

  const field = h('input', { id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false', oninput: () => { token = field.value.trim(); } });
  $('main').replaceChildren(
    h('section', { class: 'intro' }, h('h1', null, title),
      h('p', { class: 'version' }, `Version ${version}`, h('a', { href: new URL('openapi.json', home) }, 'openapi.json'), h('a', { href: new URL('openapi.yaml', home) }, 'openapi.yaml')),
      text(description),
      all.some(o => !o.open) && h('div', { class: 'access' }, h('label', { for: 'token' }, 'Bearer token'), field,
        h('small', null, 'For the “Try it” forms. It stays in this page’s memory and is gone when you leave.'))),
    ...groups.map(([tag, ops]) => h('section', { class: 'tag', 'aria-label': tag }, h('h2', null, tag), ops.map(article))));
  follow(all);
  if (location.hash) $(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function filter(all) {
  const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const op of all) {
    const hay = [op.id, op.path, op.method, op.summary, op.description, ...op['x-permissions'] ?? [], ...op.answers.flatMap(codesOf)].join(' ').toLowerCase();
    const hit = words.every(w => hay.includes(w));
    found += hit;
    for (const e of [$(op.id), document.querySelector(`[data-op="${CSS.escape(op.id)}"]`)]) e.hidden = !hit;
  }
  for (const group of document.querySelectorAll('.tag, #side section')) group.hidden = !group.querySelector('.op:not([hidden]), li:not([hidden])');
  document.querySelector('.none').hidden = found > 0;
}

// follow marks the operation that is being read.
function follow(all) {
  const links = new Map(all.map(op => [op.id, document.querySelector(`[data-op="${CSS.escape(op.id)}"] a`)]));
  const seen = new Set();
  const observer = new IntersectionObserver(entries => {
    for (const e of entries) e.isIntersecting ? seen.add(e.target.id) : seen.delete(e.target.id);
    const now = all.find(op => seen.has(op.id))?.id;
    for (const [id, link] of links) id === now ? link.setAttribute('aria-current', 'true') : link.removeAttribute('aria-current');
  }, { rootMargin: '-10% 0px -60%' });
  for (const op of all) observer.observe($(op.id));
}

function menu(open) {
  $('side').classList.toggle('open', open);
  $('menu').setAttribute('aria-expanded', open);
}
$('menu').addEventListener('click', () => menu($('menu').getAttribute('aria-expanded') !== 'true'));
$('side').addEventListener('click', event => { if (event.target.closest('a')) menu(false); });
document.addEventListener('keydown', event => {
  if (event.key === 'Escape') menu(false);
  if (event.key === '/' && !event.target.closest('input, textarea')) { event.preventDefault(); $('search')?.focus(); }
});

try {
  const response = await fetch(new URL('openapi.json', home));
  if (!response.ok) throw new Error(`openapi.json answers ${response.status}`);
  doc = await response.json();
  draw();
} catch (error) {
  $('main').replaceChildren(h('p', { class: 'notice', role: 'alert' }, 'The document could not be read: ' + error.message));
}
