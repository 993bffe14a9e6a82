// One worker for each processor, as Node's documentation advises for a server
// of more than one. The primary makes the database, adds the workers' metrics
// up, tells the bench where the peer is, and ends with its input.
'use strict';

const cluster = require('node:cluster');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const { AggregatorRegistry } = require('prom-client');
const { settings, seed, Database } = require('./shop');

/** run starts workers, in each of which listen() begins to serve on a port. */
exports.run = (listen) => {
  if (cluster.isWorker) {
    new AggregatorRegistry(); // in a worker it answers the primary's
    if (!settings.Bare) require('./tracing').start();
    return listen();
  }
  if (Database) seed();
  cluster.setupPrimary({ stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const workers = Array.from({ length: os.availableParallelism() }, () => cluster.fork());
  let listening = 0;
  cluster.on('listening', (_, address) => {
    listening += 1;
    if (listening === workers.length) metrics((admin) => hello(workers, address.port, admin));
  });
  cluster.on('exit', (worker, code) => {
    if (!worker.exitedAfterDisconnect) process.exit(code || 1);
  });
};

function metrics(then) {
  const registry = new AggregatorRegistry();
  const server = http.createServer(async (_, res) => {
    try {
      res.setHeader('Content-Type', registry.contentType);
      res.end(await registry.clusterMetrics());
    } catch (err) {
      res.writeHead(500).end(String(err));
    }
  });
  server.listen(0, '127.0.0.1', () => then(`127.0.0.1:${server.address().port}`));
}

function hello(workers, port, admin) {
  const pids = [process.pid, ...workers.map((w) => w.process.pid)];
  fs.writeSync(3, `${JSON.stringify({ Addr: `127.0.0.1:${port}`, Admin: admin, Pids: pids, NoDatabase: !Database })}\n`);
  process.stdin.resume().on('end', () => {
    for (const w of workers) w.process.kill('SIGKILL');
    process.exit(0);
  });
}
