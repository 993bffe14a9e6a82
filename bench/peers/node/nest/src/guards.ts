import {
  type CallHandler, type CanActivate, type ExecutionContext, ForbiddenException, Injectable, type NestInterceptor, RequestTimeoutException,
  SetMetadata, UnauthorizedException,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { JwtService } from '@nestjs/jwt';
import { type Observable, TimeoutError, catchError, throwError, timeout } from 'rxjs';
import shop from '../../shop.js';

/** Allow says which permission a route needs. A route without it is public. */
export const Allow = (permission: string) => SetMetadata('permission', permission);

@Injectable()
export class RoleGuard implements CanActivate {
  constructor(private readonly reflector: Reflector, private readonly jwt: JwtService) {}

  async canActivate(context: ExecutionContext) {
    const permission = this.reflector.getAllAndOverride<string>('permission', [context.getHandler(), context.getClass()]);
    if (!permission) return true;
    const req = context.switchToHttp().getRequest();
    const [scheme, token] = (req.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || !token) throw new UnauthorizedException();
    try {
      req.user = await this.jwt.verifyAsync(token);
    } catch {
      throw new UnauthorizedException();
    }
    if (!shop.may(req.user.role, permission)) throw new ForbiddenException();
    return true;
  }
}

/** Deadline bounds a request, but no stream, which is not answered by its handler's value. */
@Injectable()
export class Deadline implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      timeout(shop.limits.requestTimeout),
      catchError((err) => throwError(() => (err instanceof TimeoutError ? new RequestTimeoutException() : err))),
    );
  }
}
