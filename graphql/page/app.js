// Draws the fields of the schema, and sends documents to /graphql.

const at = (id) => document.getElementById(id);
const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);

const reference = 'kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }';
const introspection = `{
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types {
      kind name description enumValues(includeDeprecated: true) { name }
      fields(includeDeprecated: true) { name description isDeprecated deprecationReason type { ${reference} } args { name description type { ${reference} } defaultValue } }
      inputFields { name type { ${reference} } }
    }
  }
}`;

const types = new Map();
let going = null; // what is being asked

function headers() {
  const all = {
    'Content-Type': 'application/json',
    Accept: 'application/graphql-response+json, application/json;q=0.9, text/event-stream;q=0.8',
  };
  const token = at('token').value.trim();
  if (token) all.Authorization = `Bearer ${token}`;
  return all;
}

const post = (body, signal) => fetch('/graphql', { method: 'POST', headers: headers(), body: JSON.stringify(body), signal });

const written = (type) => (type.kind === 'NON_NULL' ? `${written(type.ofType)}!` : type.kind === 'LIST' ? `[${written(type.ofType)}]` : type.name);
const inner = (type) => (type.ofType ? inner(type.ofType) : types.get(type.name));

async function load() {
  const answer = await (await post({ query: introspection })).json();
  if (!answer.data) throw new Error(answer.errors?.[0]?.message ?? 'The schema is not shown.');
  const schema = answer.data.__schema;
  schema.types.forEach((type) => types.set(type.name, type));
  const roots = [['query', 'Queries', schema.queryType], ['mutation', 'Mutations', schema.mutationType], ['subscription', 'Subscriptions', schema.subscriptionType]];
  let count = 0;
  for (const [kind, title, root] of roots) {
    if (!root) continue;
    const list = make('ul', '');
    for (const field of types.get(root.name).fields) {
      const button = make('button', field.name, { type: 'button', className: field.isDeprecated ? 'old' : '' });
      button.setAttribute('aria-pressed', 'false');
      button.addEventListener('click', () => show(kind, field, button));
      const item = make('li', '');
      item.append(button);
      list.append(item);
      count++;
    }
    at('fields').append(make('h2', title), list);
  }
  at('state').textContent = `${count} fields`;
}

// show says what a field is, and begins a document with it.
function show(kind, field, button) {
  document.querySelectorAll('#fields [aria-pressed=true]').forEach((b) => b.setAttribute('aria-pressed', 'false'));
  button.setAttribute('aria-pressed', 'true');
  const args = field.args.map((a) => `  ${a.name}: ${written(a.type)}${a.defaultValue ? ` = ${a.defaultValue}` : ''}${a.description ? `  # ${a.description.replaceAll('\n', ' ')}` : ''}`);
  const signature = `${field.name}${args.length ? `(\n${args.join('\n')}\n)` : ''}: ${written(field.type)}`;
  const about = at('about');
  about.replaceChildren(make('pre', signature));
  if (field.deprecationReason) about.append(make('p', `Deprecated. ${field.deprecationReason}`));
  if (field.description) about.append(make('p', field.description));
  about.hidden = false;

  const needed = field.args.filter((a) => a.type.kind === 'NON_NULL');
  const declared = needed.map((a) => `$${a.name}: ${written(a.type)}`).join(', ');
  const passed = needed.map((a) => `${a.name}: $${a.name}`).join(', ');
  at('query').value = `${kind}${declared ? `(${declared})` : ''} {\n  ${field.name}${passed ? `(${passed})` : ''}${selection(field.type, '  ', 1)}\n}`;
  at('variables').value = needed.length ? JSON.stringify(Object.fromEntries(needed.map((a) => [a.name, example(a.type, 0)])), null, 2) : '';
}

// selection asks for what a value has, two levels deep.
function selection(type, indent, level) {
  const of = inner(type);
  if (of?.kind !== 'OBJECT') return '';
  const lines = of.fields
    .filter((f) => !f.args.length && !f.isDeprecated && (inner(f.type).kind !== 'OBJECT' || level < 3))
    .map((f) => `${indent}  ${f.name}${selection(f.type, `${indent}  `, level + 1)}`);
  return ` {\n${(lines.length ? lines : [`${indent}  __typename`]).join('\n')}\n${indent}}`;
}

// example is a value to begin with.
function example(type, level) {
  if (type.kind === 'NON_NULL') return example(type.ofType, level);
  if (type.kind === 'LIST') return [];
  const of = types.get(type.name);
  if (of.kind === 'ENUM') return of.enumValues[0].name;
  if (of.kind === 'INPUT_OBJECT' && level < 4) {
    return Object.fromEntries(of.inputFields.filter((f) => f.type.kind === 'NON_NULL').map((f) => [f.name, example(f.type, level + 1)]));
  }
  return { Int: 0, Int64: 0, Float: 0, Boolean: false }[type.name] ?? '';
}

function report(text, good) {
  at('status').textContent = text;
  at('status').className = good ? 'good' : 'bad';
}

async function send() {
  stop();
  const mine = (going = new AbortController());
  const answer = at('answer');
  answer.textContent = '';
  report('Asking …', true);
  at('stop').hidden = false;
  try {
    const body = { query: at('query').value };
    const variables = at('variables').value.trim();
    if (variables) {
      try {
        body.variables = JSON.parse(variables);
      } catch {
        report('The variables are no JSON.', false);
        return;
      }
    }
    const begun = performance.now();
    const response = await post(body, mine.signal);
    if (response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
      await follow(response, answer);
      return;
    }
    const text = await response.text();
    let failed = !response.ok;
    try {
      const parsed = JSON.parse(text);
      failed ||= Boolean(parsed.errors);
      answer.textContent = JSON.stringify(parsed, null, 2);
    } catch {
      answer.textContent = text;
    }
    report(`${response.status}, ${Math.round(performance.now() - begun)} ms${failed ? ', with errors' : ''}`, !failed);
  } catch (error) {
    if (mine.signal.aborted) report('Stopped.', true);
    else report(`It could not be asked: ${error.message}`, false);
  } finally {
    if (going === mine) {
      going = null;
      at('stop').hidden = true;
    }
  }
}

// follow shows the results of a subscription, the last one first.
async function follow(response, answer) {
  const kept = [];
  let count = 0, failed = false, rest = '';
  report('Waiting for items …', true);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const events = (rest + value).split('\n\n');
    rest = events.pop();
    for (const event of events) {
      const lines = event.split('\n');
      if (lines.includes('event: complete')) {
        report(`Complete, ${count} results${failed ? ', with errors' : ''}`, !failed);
        return;
      }
      const data = lines.find((l) => l.startsWith('data: '));
      if (!data) continue;
      const result = JSON.parse(data.slice(6));
      failed ||= Boolean(result.errors);
      count++;
      kept.unshift(JSON.stringify(result, null, 2));
      kept.length = Math.min(kept.length, 100);
      answer.textContent = kept.join('\n\n');
      report(`${count} results`, !failed);
    }
  }
  report(`The connection ended after ${count} results.`, false);
}

function stop() {
  going?.abort();
}

at('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  send();
});
at('stop').addEventListener('click', stop);
at('ask').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    send();
  }
});
at('find').addEventListener('input', () => {
  const wanted = at('find').value.trim().toLowerCase();
  document.querySelectorAll('#fields li').forEach((item) => {
    item.hidden = !item.textContent.toLowerCase().includes(wanted);
  });
});

load().catch((error) => {
  at('state').textContent = error.message;
});
