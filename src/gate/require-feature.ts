import type { FeatureDisabledError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { FeatureUser } from '../features/features.js';
import { httpAnswer } from './answer.js';
import { closedBy, type GateOptions } from './gate.js';
import { type Next, type NodeResponse, passOrAnswer } from './middleware.js';

/** What a gate takes. `Args` are those arguments of what is gated, from the first on, that tell who asks. */
export interface RequireFeatureOptions<Args extends readonly unknown[] = [request: Request], User = FeatureUser>
  extends Omit<GateOptions<Args, User>, 'user'> {
  /** Who asks, by the arguments of what is gated. Not given, or null: somebody anonymous. */
  readonly user?: (...args: Args) => User | null | Promise<User | null>;
}

// biome-ignore lint/suspicious/noExplicitAny: with unknown here, TypeScript would not infer what follows.
type From<Args extends readonly unknown[]> = readonly [...Args, ...any[]];

/** Gates functions and methods whose first arguments are `Args`. */
export interface FunctionGate<Args extends readonly unknown[]> {
  /**
   * Decorates a method, of an instance or static, public or private. While the feature is off, calls reject with a
   * `FeatureDisabledError`. As the answer takes time, the method must return, or be allowed to return, a promise.
   */
  <This, All extends From<Args>, Result>(
    method: (this: This, ...args: All) => Result | Promise<Result>,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: All) => Result | Promise<Result>>,
  ): (this: This, ...args: All) => Promise<Result>;

  /** Decorates a method where TypeScript has `experimentalDecorators` set. */
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

/** Passes on what comes by. */
export interface MiddlewareGate<Input, Rest extends readonly unknown[] = []> {
  /** Middleware whose answer is a `Response`, as of Hono. */
  <Result>(context: Input, ...rest: [...Rest, next: () => Result | Promise<Result>]): Promise<Result | Response>;

  // TypeScript infers from the last form alone: it is the one where a framework mostly says what its requests are.
  /** Middleware of Express, Connect, or Fastify with `@fastify/middie`. What fails goes to `next`. */
  (request: Input, ...rest: [...Rest, response: NodeResponse, next: Next]): void;
}

/** A gate where who asks is told by `Input`, and by `Rest` behind it. */
export type Gate<Input, Rest extends readonly unknown[] = []> = FunctionGate<[Input, ...Rest]> &
  MiddlewareGate<Input, Rest>;

/** A gate that need not be told who asks. It fits before everything. */
export type AnyGate = FunctionGate<[]> & MiddlewareGate<unknown>;

/**
 * Lets through those for whom the feature is on. Everybody else gets a 404, a 403 or a redirect; so does everybody when
 * that cannot be determined, unless `whenUnknown` is `'open'`: an unreachable database opens nothing.
 *
 * What it returns goes before a handler as middleware, around one, or on a method. What `user` throws, and what the gated
 * function throws, is handed on as the framework expects it.
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
  options: RequireFeatureOptions<[], User> & { readonly user?: never },
): AnyGate;
export function requireFeature<Input = Request, Rest extends readonly unknown[] = [], User = FeatureUser>(
  key: FeatureKey,
  options: RequireFeatureOptions<[Input, ...Rest], User>,
): Gate<Input, Rest>;
export function requireFeature<User>(key: FeatureKey, options: RequireFeatureOptions<unknown[], User>): unknown {
  const { user, ...rest } = options;
  const asked: GateOptions<readonly unknown[], User> = { ...rest, user: args => user?.(...args) ?? null };
  const ask = (...args: readonly unknown[]) => closedBy(key, args, asked);

  // Every form is called differently, so that the call itself says which one is meant.
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

/** Calls the function when the way is open, with the `this` and the arguments that it would have had. */
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
