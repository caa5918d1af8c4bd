import type { FeatureDisabledError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { FeatureUser } from '../features/features.js';
import { httpAnswer } from './answer.js';
import { closedFor, type GateOptions, subjectOf } from './gate.js';
import { type Next, type NodeResponse, passOrAnswer } from './middleware.js';

/** The options of a gate. `Args` are the first arguments of the gated function, which identify the user. */
export interface RequireFeatureOptions<Args extends readonly unknown[] = [request: Request], User = FeatureUser>
  extends Omit<GateOptions<Args, User>, 'user' | 'device'> {
  /** Returns the user, from the arguments of the gated function. Omitted, null or undefined: an anonymous user. */
  readonly user?: (...args: Args) => User | null | undefined | Promise<User | null | undefined>;
  /**
   * Returns the id of the device that the request comes from, such as from a cookie; `isDevice` checks it. Rollouts hash it for
   * anonymous users. Omitted, null or undefined: not known.
   */
  readonly device?: (...args: Args) => string | null | undefined | Promise<string | null | undefined>;
}

// biome-ignore lint/suspicious/noExplicitAny: with unknown here, TypeScript would not infer the other arguments.
type From<Args extends readonly unknown[]> = readonly [...Args, ...any[]];

/** Gates functions and methods whose first arguments are `Args`. */
export interface FunctionGate<Args extends readonly unknown[]> {
  /**
   * Decorates a method: of an instance or static, public or private. While the feature is off, calls reject with a
   * `FeatureDisabledError`. The gate is asynchronous, so the type of the method must allow a promise as its result.
   */
  <This, All extends From<Args>, Result>(
    method: (this: This, ...args: All) => Result | Promise<Result>,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: All) => Result | Promise<Result>>,
  ): (this: This, ...args: All) => Promise<Result>;

  /** Decorates a method in programs that set `experimentalDecorators` in TypeScript. */
  <All extends From<Args>, Result>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<(...args: All) => Promise<Result>>,
  ): void;

  /** Wraps a function that may answer with a `Response`: a fetch handler, or one that takes a framework's context. */
  <All extends From<Args>, Result>(
    handler: (...args: All) => Result | Promise<Result>,
  ): (...args: All) => Promise<Result | Response>;
}

/** Middleware: calls the next handler if the feature is on. */
export interface MiddlewareGate<Input, Rest extends readonly unknown[] = []> {
  /** Middleware that returns a `Response`, such as that of Hono. */
  <Result>(context: Input, ...rest: [...Rest, next: () => Result | Promise<Result>]): Promise<Result | Response>;

  // TypeScript infers from the last overload only. Most frameworks declare the type of their requests in this form.
  /** Middleware of Express, Connect, or Fastify with `@fastify/middie`. Errors go to `next`. */
  (request: Input, ...rest: [...Rest, response: NodeResponse, next: Next]): void;
}

/** A gate that reads the user from `Input` and the arguments `Rest` after it. */
export type Gate<Input, Rest extends readonly unknown[] = []> = FunctionGate<[Input, ...Rest]> &
  MiddlewareGate<Input, Rest>;

/** A gate without a user and a device. It accepts any arguments. */
export type AnyGate = FunctionGate<[]> & MiddlewareGate<unknown>;

/**
 * The request of a gate whose type TypeScript cannot infer, as between the path and the handler of Express's `app.get`: that of
 * fetch, with any other property that a framework adds.
 */
export interface UntypedRequest extends Request {
  // biome-ignore lint/suspicious/noExplicitAny: the properties that a framework adds are not known here.
  readonly [name: string]: any;
  // biome-ignore lint/suspicious/noExplicitAny: named, as TypeScript may want names that are not declared in brackets.
  readonly user?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly auth?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly session?: any;
}

/** A gate that goes before the handlers of every framework where its request has no type. */
// biome-ignore lint/suspicious/noExplicitAny: the request of every framework.
type AnywhereIfUntyped<Input> = string extends keyof Input ? MiddlewareGate<any> : unknown;

/**
 * Lets users with the feature pass. All other users get a 404, a 403 or a redirect. If the feature cannot be determined, for
 * example because the database cannot be reached, no caller passes, unless `whenUnknown` is `'open'`.
 *
 * Use the result as middleware before a handler, as a function around a handler, or as a decorator of a method. Errors of
 * `user` and of the gated function reach the framework in the form that it expects.
 *
 * @example
 * app.get('/checkout', requireFeature('new_checkout', { features, user }), handler); // Express, Connect, Fastify
 * @example
 * export const GET = requireFeature('new_checkout', { features, user })(handler); // Next, Hono, Bun, Deno
 * @example
 * class Checkout {
 *   @requireFeature('new_checkout', { features, user })
 *   async show(request: Request) {}
 * }
 */
export function requireFeature<User = FeatureUser>(
  key: FeatureKey,
  options: RequireFeatureOptions<[], User> & { readonly user?: never; readonly device?: never },
): AnyGate;
export function requireFeature<Input = UntypedRequest, Rest extends readonly unknown[] = [], User = FeatureUser>(
  key: FeatureKey,
  options: RequireFeatureOptions<[Input, ...Rest], User>,
): Gate<Input, Rest> & AnywhereIfUntyped<Input>;
export function requireFeature<User>(key: FeatureKey, options: RequireFeatureOptions<unknown[], User>): unknown {
  const { user, device, ...rest } = options;
  const asked: Pick<GateOptions<readonly unknown[], User>, 'user' | 'device'> = {
    user: args => user?.(...args),
    device: args => device?.(...args),
  };
  const ask = async (...args: readonly unknown[]) => closedFor(key, await subjectOf(args, asked), rest);

  // Each form has different arguments, so the arguments identify the form.
  return (...call: readonly unknown[]): unknown => {
    const [first, second, third] = call;
    if (isFunction(third)) return void passOrAnswer(() => ask(first), second as NodeResponse, third as Next);
    if (isFunction(second)) return guarded(() => (second as () => unknown)(), toResponse, ask)(first);
    if (isFunction(first) && call.length === 1) return guarded(first, toResponse, ask);
    if (isFunction(first) && isMethodContext(second)) return guarded(first, raise, ask);
    if (isPropertyKey(second) && isMethodDescriptor(third)) {
      third.value = guarded(third.value, raise, ask);
      return;
    }
    throw new TypeError(
      'requireFeature gates methods, handlers of requests, and requests; it was called with none of them.',
    );
  };
}

type AnyFunction = (...args: unknown[]) => unknown;

/** Calls the function if the gate is open, with its own `this` and arguments. */
function guarded(
  gated: AnyFunction,
  onClosed: (closed: FeatureDisabledError) => unknown,
  ask: (...args: readonly unknown[]) => Promise<FeatureDisabledError | null>,
) {
  return async function (this: unknown, ...args: unknown[]): Promise<unknown> {
    const closed = await ask(...args);
    return closed === null ? gated.apply(this, args) : onClosed(closed);
  };
}

function toResponse(closed: FeatureDisabledError): Response {
  const { body, ...init } = httpAnswer(closed);
  return new Response(body, init);
}

function raise(closed: FeatureDisabledError): never {
  throw closed;
}

const isFunction = (value: unknown): value is AnyFunction => typeof value === 'function';

const isPropertyKey = (value: unknown) => typeof value === 'string' || typeof value === 'symbol';

const isMethodContext = (value: unknown) => (value as DecoratorContext | undefined)?.kind === 'method';

const isMethodDescriptor = (value: unknown): value is { value: AnyFunction } =>
  isFunction((value as PropertyDescriptor | undefined)?.value);
