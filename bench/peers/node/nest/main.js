// The peer NestJS on its default platform, Express, with its own guards,
// pipes and interceptors: @nestjs/throttler, @nestjs/jwt, class-validator.
// `npm run build` compiles it.
import cluster from '../cluster.js';

cluster.run(async () => {
  const { listen } = await import('./dist/app.js');
  await listen();
});
