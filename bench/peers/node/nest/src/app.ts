import 'reflect-metadata';
import crypto from 'node:crypto';
import {
  Body, Controller, Get, HttpStatus, Inject, Module, NotFoundException, Param, Post, Query, Req, Res, ValidationPipe,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import helmet from 'helmet';
import { pino } from 'pino';
import { pinoHttp } from 'pino-http';
import prometheus from 'prom-client';
import shop from '../../shop.js';
import { Allow, Deadline, RoleGuard } from './guards.js';
import { Burning, Order, Paging } from './orders.js';

const { settings, limits } = shop;

@Controller('v1')
class Public {
  @Get('state') state() {
    return { status: 'ok' };
  }

  @Get('burn') burn(@Query() { rounds }: Burning) {
    return shop.burn(rounds);
  }
}

@Controller('v1')
class Quotes {
  @Post('quotes') @Allow('payments:write') quote(@Body() order: Order) {
    return shop.quote(order);
  }

  @Get('events') @Allow('payments:read') events(@Req() req, @Res() res) {
    shop.stream(req, res);
  }
}

@Controller('v1')
class Payments {
  constructor(@Inject('store') private readonly store) {}

  @Post('payments') @Allow('payments:write') create(@Body() order: Order) {
    return this.store.create(order);
  }

  @Get('payments') @Allow('payments:read') list(@Query() { limit, cursor }: Paging) {
    return this.store.list('mer_1', cursor, limit);
  }

  @Get('payments/:id') @Allow('payments:read') get(@Param('id') id: string) {
    return found(this.store.find(id));
  }

  @Get('cached/:id') @Allow('payments:read') cached(@Param('id') id: string) {
    return found(this.store.cached(id));
  }
}

function found<T>(p: T | undefined): T {
  if (!p) throw new NotFoundException();
  return p;
}

const stack = settings.Bare ? [] : [
  { provide: APP_GUARD, useClass: ThrottlerGuard },
  { provide: APP_GUARD, useClass: RoleGuard },
  { provide: APP_INTERCEPTOR, useClass: Deadline },
];

@Module({
  imports: settings.Bare ? [] : [
    ThrottlerModule.forRoot([{ ttl: limits.window, limit: settings.Limit }]),
    JwtModule.register({ secret: settings.Secret, verifyOptions: { algorithms: ['HS256'], issuer: shop.issuer, audience: shop.audience } }),
  ],
  controllers: shop.Database ? [Public, Quotes, Payments] : [Public, Quotes],
  providers: [{ provide: 'store', useFactory: shop.store }, ...stack],
})
class App {}

export async function listen() {
  const app = await NestFactory.create<NestExpressApplication>(App, { logger: ['error'] });
  app.disable('x-powered-by');
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, errorHttpStatusCode: HttpStatus.UNPROCESSABLE_ENTITY }));
  if (!settings.Bare) {
    app.useBodyParser('json', { limit: limits.body });
    app.use(access, instrument, helmet({ contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"] } } }));
    app.enableCors({ origin: [shop.origin], methods: ['GET', 'POST'], allowedHeaders: ['Authorization', 'Content-Type'] });
  }
  await app.listen(0, '127.0.0.1');
  if (!settings.Bare) shop.harden(app.getHttpServer());
}

const access = pinoHttp({
  logger: pino(),
  genReqId: (req, res) => {
    const id = req.headers['x-request-id'] ?? crypto.randomUUID();
    res.setHeader('X-Request-Id', id);
    return id;
  },
  serializers: {
    req: (req) => ({ id: req.id, method: req.method, url: req.url, client: req.remoteAddress }),
    res: (res) => ({ status: res.statusCode }),
  },
});

const latency = new prometheus.Histogram({
  name: 'http_request_duration_seconds', help: 'Time to answer, by route.', labelNames: ['method', 'route', 'status'],
});

function instrument(req, res, next) {
  const end = latency.startTimer();
  res.on('finish', () => end({ method: req.method, route: req.route?.path ?? 'none', status: res.statusCode }));
  next();
}
