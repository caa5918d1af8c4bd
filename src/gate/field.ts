import { GraphQLError, type GraphQLResolveInfo } from 'graphql';
import { type FeatureDisabledError, ValidationError } from '../core/errors.js';
import type { FeatureKey } from '../core/feature-key.js';
import type { FeatureUser } from '../features/features.js';
import { closedFor, type GateOptions, type GateSubject, subjectOf } from './gate.js';

/** The answer of a field whose feature is off. A field cannot redirect. */
export interface ClosedField extends Omit<GateOptions<unknown>, 'features' | 'user' | 'device' | 'redirectUrl'> {
  /** Answers null without an error. A field that cannot be null gives an error nevertheless. */
  readonly soft?: boolean;
}

/** How the gate of a field finds out whether it is open, and its answer if it is not. */
export interface GatedFieldOptions<Context, User = FeatureUser>
  extends ClosedField,
    Pick<GateOptions<Context, User>, 'features' | 'user' | 'device'> {}

/** A resolver, or a function that subscribes, in the form that every GraphQL library knows. */
export type FieldFunction<Source, Args, Context, Result> = (
  source: Source,
  args: Args,
  context: Context,
  info: GraphQLResolveInfo,
) => Result;

/**
 * Calls a resolver only if the feature is on for the user; `user` and `device` get the context. Otherwise the field has an error with
 * `extensions.code` `FEATURE_DISABLED` and `extensions.http.status` 404 or 403, or is null when `soft` is set. A server
 * that uses `http.status`, such as Yoga, gives this status to the whole response; the data of other fields stays in it.
 *
 * @example
 * const betaOnly = gatedField('new_search', { features, user: (context: Context) => context.user });
 * const resolvers = { Query: { search: betaOnly((_root, { text }) => search(text)) } };
 */
export function gatedField<Context = unknown, User = FeatureUser, const Soft extends boolean = false>(
  key: FeatureKey,
  options: GatedFieldOptions<Context, User> & { readonly soft?: Soft },
) {
  return <Source, Args, Given extends Context, Result>(resolve: FieldFunction<Source, Args, Given, Result>) =>
    async (
      source: Source,
      args: Args,
      context: Given,
      info: GraphQLResolveInfo,
    ): Promise<Awaited<Result> | (Soft extends true ? null : never)> => {
      const closed = await fieldClosedFor(key, await subjectOf(context, options), options);
      if (closed === null) return await resolve(source, args, context, info);
      return answerClosed(closed, options, info) as Soft extends true ? null : never;
    };
}

/** As {@link closedFor}, with its ValidationError as a GraphQLError that has its message, its code and its path. */
export async function fieldClosedFor<User>(
  key: FeatureKey,
  subject: GateSubject<User>,
  options: GatedFieldOptions<never, User>,
): Promise<FeatureDisabledError | null> {
  try {
    return await closedFor(key, subject, options);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    // Graphql takes an error with a path for one of its own, and would send it without its message.
    const { message, code, path } = error;
    const refusal = new GraphQLError(message, { extensions: { code, path, http: { status: 400 } } });
    refusal.cause = error;
    throw refusal;
  }
}

/** @throws GraphQLError unless the field may be null and the gate is soft. */
export function answerClosed(
  closed: FeatureDisabledError,
  { soft = false }: ClosedField,
  info: GraphQLResolveInfo,
): null {
  if (soft && isNullable(info)) return null;
  throw toGraphQLError(closed);
}

/** Reads the name of the type: a check by class would fail in a program with a second copy of graphql. */
export function isNullable({ returnType }: GraphQLResolveInfo): boolean {
  return !String(returnType).endsWith('!');
}

export function toGraphQLError(closed: FeatureDisabledError): GraphQLError {
  const { message, code, status } = closed;
  // A field cannot redirect, even if it shares its options with a gate that can.
  const http = { status: status === 302 ? 404 : status };
  // `cause` and not `originalError`: servers hide the message of an error that has an original error.
  const error = new GraphQLError(message, { extensions: { code, http } });
  error.cause = closed;
  return error;
}
